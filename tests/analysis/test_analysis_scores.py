import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.bootstrap.intervals import percentile_interval, summarize_scores
from babelgrid.analysis.tables import read_table


def _summarize(tmp_path, posts, replicates):
    frame = pd.DataFrame(replicates, columns=[f"r{number}" for number in range(len(replicates[0]))])
    key = {"view": "topic", "mixture": "en", "test_language": [f"l{n}" for n in posts]}
    described = pd.DataFrame({**key, "seeds": 2, "n": posts, "score": 0.5})
    described.join(frame).to_parquet(tmp_path / "replicates.parquet")
    summarize_scores(tmp_path / "replicates.parquet", 50, tmp_path / "scores.csv")
    return read_table(tmp_path / "scores.csv")


def test_interval_is_middle_95_percent_of_replicates(tmp_path):
    scores = _summarize(tmp_path, [100], [np.arange(1001) / 1000])
    assert scores.columns[-4:].tolist() == ["score", "low", "high", "ranked"]
    assert scores.loc[0, ["low", "high"]].tolist() == pytest.approx([0.025, 0.975])


def test_cell_below_minimum_is_not_ranked(tmp_path):
    scores = _summarize(tmp_path, [0, 49, 50], [[np.nan] * 3, [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])
    assert scores["ranked"].tolist() == [False, False, True]
    assert scores.loc[0, ["low", "high"]].isna().all()


def test_missing_replicates_give_missing_interval():
    assert np.isnan(percentile_interval(np.array([0.1, np.nan]))).all()
