import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.analysis.scores.views import answers_of, class_probabilities, confusion_of, read_answers
from babelgrid.errors import UserError

LABELS = ["pro", "anti", "neutral", "unrelated"]
TOPIC = {"related": ["pro", "anti", "neutral"], "unrelated": ["unrelated"]}
STANCE = {"pro": ["pro"], "anti": ["anti"], "neutral": ["neutral"]}


def _answers(gold, probabilities):
    with np.errstate(divide="ignore"):
        logp = np.log(np.array(probabilities, dtype=float))
    columns = {f"logp_{label}": logp[:, number] for number, label in enumerate(LABELS)}
    return answers_of(
        pd.DataFrame({"id": [str(n) for n in range(len(gold))], "gold": gold, **columns}), "predictions.parquet"
    )


def test_class_probability_is_label_sum_within_view():
    answers = _answers(["pro"], [[0.1, 0.2, 0.1, 0.1]])
    assert class_probabilities(answers, TOPIC)[0] == pytest.approx([0.8, 0.2])
    assert class_probabilities(answers, STANCE)[0] == pytest.approx([0.25, 0.5, 0.25])


def test_sum_of_labels_can_win_over_top_label():
    answers = _answers(["pro"], [[0.2, 0.2, 0.2, 0.35]])
    assert confusion_of(answers, TOPIC).tolist() == [[1, 0, 0], [0, 0, 0]]


def test_posts_with_gold_label_outside_view_are_left_out():
    answers = _answers(["unrelated", "anti"], [[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]])
    assert confusion_of(answers, STANCE).sum() == 1
    assert confusion_of(answers, TOPIC).sum() == 2


def test_answer_with_zero_probability_in_view_is_wrong():
    answers = _answers(["anti", "neutral"], [[0, 0, 0, 1], [0, 0, 0, 0]])
    assert class_probabilities(answers, STANCE) == pytest.approx(np.full((2, 3), 1 / 3))
    assert confusion_of(answers, STANCE).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


@pytest.mark.slow
@given(st.lists(st.floats(-800, 0), min_size=4, max_size=4), st.floats(-3000, 0))
def test_scaling_probabilities_changes_nothing_without_underflow(logp, shift):
    frame = pd.DataFrame(
        {"id": ["1"], "gold": ["pro"], **{f"logp_{label}": [value] for label, value in zip(LABELS, logp, strict=True)}}
    )
    moved = frame.copy()
    moved[moved.columns[2:]] += shift
    plain, scaled = (class_probabilities(answers_of(table, "x"), TOPIC)[0] for table in (frame, moved))
    assert plain.sum() == pytest.approx(1)
    assert scaled == pytest.approx(plain, abs=1e-9)


def test_view_label_without_column_is_named():
    with pytest.raises(UserError, match=r"'nuetral'.*did you mean 'neutral'"):
        confusion_of(_answers(["pro"], [[1, 0, 0, 0]]), {"a": ["pro"], "b": ["nuetral"]})


def test_gold_label_without_column_is_named():
    with pytest.raises(UserError, match="'other'"):
        _answers(["other"], [[1, 0, 0, 0]])


def test_nan_probability_raises():
    with pytest.raises(UserError, match="1 posts have NaN"):
        _answers(["pro"], [[np.nan, 0.1, 0.1, 0.1]])


@pytest.mark.slow
@given(holes=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1))
def test_nan_anywhere_raises_and_is_counted_by_post(holes):
    probabilities = np.full((5, 4), 0.25)
    for post, label in holes:
        probabilities[post, label] = np.nan
    with pytest.raises(UserError, match=f"{len({post for post, _ in holes})} posts have NaN"):
        _answers(["pro"] * 5, probabilities)


def test_positive_infinite_log_probability_raises():
    with pytest.raises(UserError, match=r"1 posts have \+inf"):
        _answers(["pro"], [[np.inf, 0.1, 0.1, 0.1]])
    assert _answers(["pro"], [[0, 0, 0, 0]]).logp[0, 0] == -np.inf


def test_broken_or_missing_file_is_named(tmp_path):
    (tmp_path / "en.parquet").write_bytes(b"not parquet")
    for name in ("en.parquet", "missing.parquet"):
        with pytest.raises(UserError, match=name):
            read_answers(tmp_path / name)
    pd.DataFrame({"id": ["1"], "logp_pro": [0.0]}).to_parquet(tmp_path / "no_gold.parquet")
    with pytest.raises(UserError, match="no_gold"):
        read_answers(tmp_path / "no_gold.parquet")
