"""Build the transfer matrix: the score of each mixture in each test language."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from babelgrid.analysis.scores.cells import BASELINES
from babelgrid.analysis.scores.metrics import METRICS, Metric
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError, nearest
from babelgrid.runtime.files import write_csv

_KEY = ["view", "mixture", "test_language"]


def build_transfer_matrix(cells_path: str | Path, metric: Metric, languages: Sequence[str], out: str | Path) -> None:
    """Write transfer_matrix.csv: view, mixture, and one column per test language with the metric's mean over seeds.

    languages: the test languages in column order. A cell without posts stays empty.
    """
    means = average_over_seeds(read_table(cells_path), metric)
    matrix = means.set_index(_KEY)["score"].unstack("test_language")
    order = means[["view", "mixture"]].drop_duplicates()
    matrix = matrix.reindex(index=pd.MultiIndex.from_frame(order), columns=list(languages))
    write_csv(out, matrix.reset_index().rename_axis(columns=None))


def average_over_seeds(cells: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Average one metric over seeds. Rows are grouped by view and otherwise keep the order of cells.csv.

    Returns view, mixture, test_language, seeds, n (posts, mean over seeds), score, low, high and baseline (the better
    of the two baselines in that cell). low and high are the means of the seeds' 95% intervals over posts. They cover
    sampling of posts, not seed variance.
    """
    if metric not in METRICS:
        raise UserError(f"metric: {metric!r} is not a score{nearest(metric, METRICS)}. Allowed: {', '.join(METRICS)}")
    best = cells[[f"{baseline}_{metric}" for baseline in BASELINES]].max(axis=1)
    named = cells[_KEY].assign(
        n=cells["n"], score=cells[metric], low=cells[f"{metric}_low"], high=cells[f"{metric}_high"], baseline=best
    )
    groups = named.groupby(_KEY, sort=False)
    means = groups.mean()
    means.insert(0, "seeds", groups.size())
    by_view = means.reset_index()
    views = by_view["view"].drop_duplicates().tolist()
    return by_view.sort_values("view", key=lambda column: column.map(views.index), kind="stable", ignore_index=True)
