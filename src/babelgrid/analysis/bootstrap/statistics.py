"""Compute statistics of cells with intervals, applying the same arithmetic to observed scores and replicates.

Sampled scores are a table with one row per cell: the first column is the observed score, the others its replicates. A
difference, mean or maximum of these rows gives the observed statistic and its replicates.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.intervals import percentile_interval
from babelgrid.analysis.bootstrap.replicates import read_replicates, replicates_of
from babelgrid.types import Floats, Row


class SampledScores:
    """The observed scores and replicates of one view's cells.

    Cells without posts are left out. `ranked` tells which cells have the minimum number of posts and an interval.
    """

    def __init__(self, frame: pd.DataFrame, min_posts: int) -> None:
        """Create from the rows of `read_replicates` for one view, indexed by (mixture, test_language)."""
        frame = frame[frame["n"] > 0]
        self.cells: list[tuple[str, str]] = list(frame.index)
        self.posts = dict(zip(self.cells, frame["n"].astype(int), strict=True))
        self.mixtures = list(dict.fromkeys(mixture for mixture, _ in self.cells))
        self.languages = list(dict.fromkeys(language for _, language in self.cells))
        values = np.column_stack([frame["score"].to_numpy(float), replicates_of(frame).to_numpy(float)])
        self._values = dict(zip(self.cells, values, strict=True))
        self.ranked = {
            cell: self.posts[cell] >= min_posts and not np.isnan(own).any() for cell, own in self._values.items()
        }
        self._unknown = np.full(values.shape[1], np.nan)

    @property
    def resamples(self) -> int:
        """Return the number of replicates of each score."""
        return len(self._unknown) - 1

    def __contains__(self, cell: tuple[str, str]) -> bool:
        """Return whether a (mixture, test language) was scored."""
        return cell in self._values

    def of(self, mixture: str, language: str) -> Floats:
        """Return a cell's observed score and replicates; NaN if the cell was not scored."""
        values: Floats = self._values.get((mixture, language), self._unknown)
        return values

    def mean(self, cells: Sequence[tuple[str, str]]) -> Floats:
        """Return the mean over cells, observed and replicated; NaN if there are no cells."""
        if not cells:
            return self._unknown
        mean: Floats = np.mean([self.of(*cell) for cell in cells], axis=0)
        return mean

    def in_own_language(self, language: str) -> Floats:
        """Return the score, in a language, of the adapter trained only on that language."""
        return self.of(language, language)


def read_sampled_scores(path: str | Path, min_posts: int) -> dict[str, SampledScores]:
    """Read replicates.parquet and return the scores of each view, in the file's order.

    Views without a scored cell are left out. min_posts: posts that a cell needs to be ranked, in addition to an
    interval.
    """
    frame = read_replicates(path).reset_index("view")
    by_view = {str(view): rows.drop(columns="view") for view, rows in frame.groupby("view", sort=False)}
    scores = {view: SampledScores(rows, min_posts) for view, rows in by_view.items()}
    return {view: own for view, own in scores.items() if own.cells}


def estimate(sampled: Floats, name: str = "effect", prefix: str = "") -> Row:
    """Return the observed statistic and its 95% percentile interval as `name`, `<prefix>low` and `<prefix>high`.

    sampled: the observed value, followed by its replicates.
    """
    low, high = percentile_interval(sampled[1:])
    return {name: float(sampled[0]), f"{prefix}low": float(low), f"{prefix}high": float(high)}
