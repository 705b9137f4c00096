"""Statistics of cells, with their intervals: the observed scores and every replicate go through the same arithmetic.

Sampled scores are a table with one row for each cell: the first column is the observed score, the others its
replicates. A difference, mean or maximum of such rows is that statistic, observed and replicated.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.intervals import percentile_interval
from babelgrid.analysis.bootstrap.replicates import read_replicates, replicates_of
from babelgrid.analysis.types import Floats, Row


class SampledScores:
    """The scores of one view's cells, observed and replicated.

    Cells without posts are not there; `ranked` says which have the minimum of posts, and an interval.
    """

    def __init__(self, frame: pd.DataFrame, min_posts: int) -> None:
        """Take the rows of `read_replicates` of one view, indexed by (mixture, test_language)."""
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
        """How many replicates each score has."""
        return len(self._unknown) - 1

    def __contains__(self, cell: tuple[str, str]) -> bool:
        """Tell whether a (mixture, test language) was scored."""
        return cell in self._values

    def of(self, mixture: str, language: str) -> Floats:
        """Return a cell's observed score and replicates; NaN where it was not scored."""
        values: Floats = self._values.get((mixture, language), self._unknown)
        return values

    def mean(self, cells: Sequence[tuple[str, str]]) -> Floats:
        """Return the mean over cells, observed and replicated; NaN over none."""
        if not cells:
            return self._unknown
        mean: Floats = np.mean([self.of(*cell) for cell in cells], axis=0)
        return mean

    def in_own_language(self, language: str) -> Floats:
        """Return the score of the adapter that was trained on a language alone, in that language."""
        return self.of(language, language)


def read_sampled_scores(path: str | Path, min_posts: int) -> dict[str, SampledScores]:
    """Read replicates.parquet; return view -> its scores, in the file's order, without views that have no scored cell.

    min_posts: posts that a cell must have to be ranked; it must have an interval, too.
    """
    frame = read_replicates(path).reset_index("view")
    by_view = {str(view): rows.drop(columns="view") for view, rows in frame.groupby("view", sort=False)}
    scores = {view: SampledScores(rows, min_posts) for view, rows in by_view.items()}
    return {view: own for view, own in scores.items() if own.cells}


def estimate(sampled: Floats, name: str = "effect", prefix: str = "") -> Row:
    """Return the observed statistic and its 95% percentile interval under `name`, `<prefix>low` and `<prefix>high`.

    sampled: the observed value first, then its replicates.
    """
    low, high = percentile_interval(sampled[1:])
    return {name: float(sampled[0]), f"{prefix}low": float(low), f"{prefix}high": float(high)}
