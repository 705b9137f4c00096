import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.scores.baselines import fit_baselines, fit_majority, fit_ngrams
from babelgrid.analysis.scores.views import answers_of, confusion_of
from babelgrid.errors import UserError

LABELS = ["pro", "anti", "unrelated"]
WORDS = {"pro": "welcome friends neighbours", "anti": "close borders fences", "unrelated": "sunny football weather"}


def _posts(labels, prefix="en"):
    text = [f"{WORDS[label]} {number}" for number, label in enumerate(labels)]
    return pd.DataFrame({"id": [f"{prefix}-{n}" for n in range(len(labels))], "text": text, "label": labels})


def test_majority_answers_with_train_label_shares():
    answers = fit_majority(_posts(["pro", "anti", "anti", "unrelated"]), {"hu": _posts(["pro"] * 3, "hu")}, LABELS)
    assert answers["predicted"].tolist() == ["anti"] * 3
    assert np.exp(answers.loc[0, [f"logp_{label}" for label in LABELS]].astype(float)).tolist() == pytest.approx(
        [0.25, 0.5, 0.25]
    )


def test_majority_baseline_per_view():
    train = _posts(["pro"] * 3 + ["anti"] * 2 + ["unrelated"] * 4)
    answers = answers_of(fit_majority(train, {"en": _posts(["unrelated"])}, LABELS), "x")
    related_wins = confusion_of(answers, {"related": ["pro", "anti"], "unrelated": ["unrelated"]})
    assert related_wins.tolist() == [[0, 0, 0], [1, 0, 0]]


def test_ngrams_separate_labels_in_every_language():
    test = {"en": _posts(LABELS * 4), "es": _posts(LABELS, "es")}
    answers = fit_ngrams(_posts(LABELS * 8), test, LABELS)
    assert (answers["predicted"] == answers["gold"]).all()
    assert answers.groupby("language").size().to_dict() == {"en": 12, "es": 3}
    assert np.exp(answers[[f"logp_{label}" for label in LABELS]]).sum(axis=1).to_numpy() == pytest.approx(1)


@pytest.mark.parametrize("labels", [["pro", "pro"], ["pro", "anti"] * 3])
def test_label_without_train_posts_has_probability_zero(labels):
    answers = fit_baselines(_posts(labels), {"en": _posts(LABELS)}, LABELS)
    assert (answers["logp_unrelated"] == -np.inf).all()
    assert not answers.isna().any(axis=None)
    assert set(answers["baseline"]) == {"majority", "ngram"}


def test_baselines_are_deterministic():
    train, test = _posts(LABELS * 5), {"en": _posts(LABELS * 3)}
    pd.testing.assert_frame_equal(fit_baselines(train, test, LABELS), fit_baselines(train, test, LABELS))


def test_no_train_posts_or_unknown_label_raises():
    with pytest.raises(UserError, match="no train posts"):
        fit_majority(_posts([]), {}, LABELS)
    with pytest.raises(UserError, match="'unrelated' is not a label"):
        fit_ngrams(_posts(["unrelated"]), {}, ["pro", "anti"])
