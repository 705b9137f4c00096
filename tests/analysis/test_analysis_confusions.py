import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.scores.confusions import NO_CLASS, tabulate_confusions

VIEWS = {
    "topic": {"related": ["pro", "anti"], "unrelated": ["unrelated"]},
    "stance": {"pro": ["pro"], "anti": ["anti"]},
}
LABELS = ("pro", "anti", "unrelated")


def _write(path, answers):
    """Write predictions of (id, gold, predicted label), where the predicted label has probability 1."""
    rows = [
        {"id": post, "gold": gold, **{f"logp_{label}": 0.0 if label == predicted else -np.inf for label in LABELS}}
        for post, gold, predicted in answers
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.fixture
def table(tmp_path):
    first = _write(tmp_path / "0", [("a", "pro", "anti"), ("b", "pro", "unrelated"), ("c", "anti", "anti")])
    second = _write(tmp_path / "1", [("a", "pro", "pro"), ("b", "pro", "anti"), ("d", "pro", "anti")])
    out = tmp_path / "confusions.parquet"
    tabulate_confusions({("en", 0, "hu"): first, ("en", 1, "hu"): second}, views=VIEWS, examples=2, out=out)
    return pd.read_parquet(out).set_index(["view", "gold", "predicted"])


def test_counts_cover_all_posts_and_sum_over_seeds(table):
    assert table["n"].groupby("view").sum().to_dict() == {"topic": 6, "stance": 6}
    assert table.loc[("stance", "pro", "anti"), "n"] == 3
    assert table.loc[("topic", "related", "related"), "n"] == 5


def test_answer_outside_view_is_counted_separately(table):
    assert table.loc[("stance", "pro", NO_CLASS), "n"] == 1
    assert ("topic", "related", NO_CLASS) not in table.index


def test_examples_are_limited_ids_of_errors(table):
    assert list(table.loc[("stance", "pro", "anti"), "examples"]) == ["a", "b"]
    assert list(table.loc[("stance", "anti", "anti"), "examples"]) == []
