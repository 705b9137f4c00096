"""Merge the scores of a view for figures and tables: means over seeds, joint bootstrap intervals, ranks."""

from pathlib import Path

import pandas as pd

from babelgrid.analysis.scores.matrix import cells_of_view
from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table

_KEY = ["mixture", "test_language"]


def joint_cells_of_view(cells_path: str | Path, scores_path: str | Path, view: str, metric: Metric) -> pd.DataFrame:
    """Return `matrix.cells_of_view` with the intervals over posts and seeds and the column `ranked` of scores.csv.

    A cell that is missing in scores.csv is not ranked. Both files must use the same metric.
    """
    cells = cells_of_view(cells_path, view, metric).drop(columns=["low", "high"])
    scores = read_table(scores_path)
    own = scores.loc[scores["view"] == view, [*_KEY, "low", "high", "ranked"]]
    joined = cells.merge(own, on=_KEY, how="left", validate="one_to_one")
    return joined.assign(ranked=joined["ranked"].fillna(False).astype(bool))
