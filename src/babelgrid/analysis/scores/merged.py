"""Merge cells.csv and scores.csv, for figures and the report: means over seeds, intervals, and what is ranked."""

import pandas as pd

from babelgrid.analysis.scores.matrix import average_over_seeds
from babelgrid.analysis.scores.metrics import Metric

_KEY = ["view", "mixture", "test_language"]


def merge_scores(cells: pd.DataFrame, scores: pd.DataFrame | None, metric: Metric) -> pd.DataFrame:
    """Return `average_over_seeds` with the intervals over posts and seeds and the column `ranked` of scores.csv.

    scores: scores.csv, made with the same metric; a cell that is missing there is not ranked. Without it, intervals
    are those of `average_over_seeds` and every cell is ranked.
    """
    means = average_over_seeds(cells, metric)
    if scores is None:
        return means.assign(ranked=True)
    own = scores[[*_KEY, "low", "high", "ranked"]]
    merged = means.drop(columns=["low", "high"]).merge(own, on=_KEY, how="left", validate="one_to_one")
    return merged.assign(ranked=merged["ranked"].fillna(False).astype(bool))
