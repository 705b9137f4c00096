import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from babelgrid.analysis.scores.metrics import (
    METRICS,
    bootstrap_intervals,
    count_confusions,
    score_classes,
    score_confusions,
)

CLASSES = 4
# The predicted index CLASSES means no class.
answers = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES)), min_size=1, max_size=40)


def _confusion(pairs):
    gold, predicted = np.array(pairs).T
    return gold, predicted, count_confusions(gold, predicted, CLASSES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A single label was found")
@given(answers)
def test_scores_match_scikit_learn(pairs):
    gold, predicted, confusion = _confusion(pairs)
    scores = score_confusions(confusion)
    labels = {"labels": sorted({*gold, *predicted} - {CLASSES}), "zero_division": 0}
    assert (confusion == confusion_matrix(gold, predicted, labels=range(CLASSES + 1))[:CLASSES]).all()
    assert scores["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(gold, predicted, average="macro", **labels))
    assert scores["weighted_f1"] == pytest.approx(f1_score(gold, predicted, average="weighted", **labels))
    assert scores["mcc"] == pytest.approx(matthews_corrcoef(gold, predicted), abs=1e-12)


@pytest.mark.slow
@given(answers)
def test_class_scores_match_scikit_learn(pairs):
    gold, predicted, confusion = _confusion(pairs)
    ours = score_classes(confusion)
    theirs = precision_recall_fscore_support(gold, predicted, labels=range(CLASSES), zero_division=0)
    for name, expected in zip(["precision", "recall", "f1", "support"], theirs, strict=True):
        assert ours[name] == pytest.approx(expected)


@pytest.mark.slow
@given(st.lists(answers, min_size=1, max_size=5))
def test_stacked_matrices_score_like_single_ones(cells):
    stacked = np.stack([_confusion(pairs)[2] for pairs in cells])
    together = score_confusions(stacked)
    for number, confusion in enumerate(stacked):
        for metric in METRICS:
            assert together[metric][number] == score_confusions(confusion)[metric]


def test_matrix_without_posts_has_no_scores():
    empty = np.zeros((3, 4), dtype=int)
    assert all(np.isnan(score) for score in score_confusions(empty).values())
    assert np.isnan(score_classes(empty)["f1"]).all()
    assert all(
        np.isnan(end) for ends in bootstrap_intervals(empty, 100, np.random.default_rng(0)).values() for end in ends
    )


def test_resampling_matrix_matches_resampling_posts():
    generator = np.random.default_rng(3)
    gold = generator.integers(0, 3, 120)
    predicted = np.where(generator.random(120) < 0.7, gold, generator.integers(0, 3, 120))
    ours = bootstrap_intervals(count_confusions(gold, predicted, 3), 20_000, np.random.default_rng(1))
    drawn = generator.integers(0, 120, (20_000, 120))
    codes = (gold * 4 + predicted)[drawn]
    confusions = np.stack([(codes == code).sum(axis=1) for code in range(12)], axis=1).reshape(-1, 3, 4)
    for metric, scores in score_confusions(confusions).items():
        assert ours[metric] == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])), abs=0.012)


@settings(max_examples=30)
@given(answers)
def test_intervals_stay_within_score_range(pairs):
    confusion = _confusion(pairs)[2]
    for metric, (low, high) in bootstrap_intervals(confusion, 100, np.random.default_rng(0)).items():
        assert (-1 if metric == "mcc" else 0) <= low <= high <= 1
