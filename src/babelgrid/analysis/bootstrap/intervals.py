"""Summarise scores with intervals that cover sampling of both posts and seeds."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babelgrid.analysis.bootstrap.replicates import read_replicates, replicates_of
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats


def summarize_scores(replicates_path: str | Path, min_posts: int, out: str | Path) -> None:
    """Write scores.csv: view, mixture, test_language, seeds, n, score, low, high, ranked.

    score: the metric's mean over seeds. low, high: its 95% percentile interval. ranked: whether the cell has at least
    `min_posts` posts and an interval; other cells are shown greyed out and never ranked.
    """
    frame = read_replicates(replicates_path)
    low, high = percentile_interval(replicates_of(frame).to_numpy())
    scores = frame[["seeds", "n", "score"]].assign(
        low=low, high=high, ranked=(frame["n"] >= min_posts) & ~np.isnan(low)
    )
    write_csv(out, scores.reset_index())


def percentile_interval(replicates: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the 95% percentile interval (Efron 1979) of statistics, from replicates on the last axis.

    NaN replicates give NaN bounds.
    """
    low, high = np.quantile(np.asarray(replicates, dtype=float), [0.025, 0.975], axis=-1)
    return low, high
