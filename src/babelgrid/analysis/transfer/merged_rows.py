"""Compare rows that were merged from adapters with rows that were trained on the same languages."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.analysis.exposure.trend import rank_correlations
from babelgrid.analysis.scores.matrix import average_over_seeds
from babelgrid.analysis.scores.metrics import METRICS, Metric
from babelgrid.analysis.tables import read_table
from babelgrid.mixture import Mixture, trained_twins
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats, Row

CELLS = (
    *("view", "kind", "merged", "trained", "test_language", "n", "score_merged", "score_trained"),
    *("difference", "low", "high"),
)
SUMMARY = (
    *("view", "metric", "kind", "rows", "cells", "spearman", "spearman_low", "spearman_high"),
    *("spearman_within", "within_low", "within_high", "difference", "low", "high"),
)
MIN_CELLS = 3
"""With fewer values, a rank correlation says nothing."""


class Twin(NamedTuple):
    """A ranked cell of a merged row and of the row that is trained on the same languages."""

    kind: str
    """See `Merge.kind`."""
    merged: str
    trained: str
    language: str


def measure_merged(
    replicates_path: str | Path,
    cells_path: str | Path,
    mixtures: Sequence[Mixture],
    *,
    metric: Metric,
    min_posts: int,
    out: str | Path,
    cells_out: str | Path,
) -> None:
    """Write merged.csv (one row for each view, metric and kind of merged row) and merged_cells.csv (one for each cell).

    A cell is a merged row with a trained row of the same languages, in one test language; only ranked cells count.
    merged_cells.csv: both scores (of `score.metric`) and their difference, merged minus trained, with its interval.
    merged.csv: rows and cells (their numbers), spearman (over all cells), spearman_within (over the rows within one
    test language, averaged over the languages) and the mean difference. Intervals are 95% percentile intervals of the
    joint bootstrap over posts and seeds, which only `score.metric` has; the other metrics have none.
    """
    rows: list[Row] = []
    cells: list[Row] = []
    table = read_table(cells_path)
    means = {name: _means(table, name) for name in METRICS if name != metric}
    for view, scores in read_sampled_scores(replicates_path, min_posts).items():
        twins = find_twins(scores, mixtures)
        cells.extend({"view": view, **row} for row in cell_rows(scores, twins))
        for kind in dict.fromkeys(twin.kind for twin in twins):
            own = [twin for twin in twins if twin.kind == kind]
            for name in METRICS:
                merged, trained = _sampled(scores, own) if name == metric else _observed(means[name], view, own)
                rows.append({"view": view, "metric": name, "kind": kind, **summary_row(own, merged, trained)})
    write_csv(out, pd.DataFrame(rows, columns=list(SUMMARY)))
    write_csv(cells_out, pd.DataFrame(cells, columns=list(CELLS)))


def find_twins(scores: SampledScores, mixtures: Sequence[Mixture]) -> list[Twin]:
    """Return the cells in which both a merged row and its trained twin are ranked."""
    kinds = {own.name: own.merge.kind for own in mixtures if own.merge}
    return [
        Twin(kinds[merged], merged, trained, language)
        for merged, trained in trained_twins(mixtures).items()
        for language in scores.languages
        if scores.ranked.get((merged, language)) and scores.ranked.get((trained, language))
    ]


def cell_rows(scores: SampledScores, twins: Sequence[Twin]) -> Iterator[Row]:
    """Yield both scores of each cell, and their paired difference with its interval."""
    for twin in twins:
        merged, trained = scores.of(twin.merged, twin.language), scores.of(twin.trained, twin.language)
        yield {
            **{"kind": twin.kind, "merged": twin.merged, "trained": twin.trained, "test_language": twin.language},
            **{"n": scores.posts[twin.merged, twin.language]},
            **{"score_merged": merged[0], "score_trained": trained[0]},
            **estimate(merged - trained, "difference"),
        }


def summary_row(twins: Sequence[Twin], merged: Floats, trained: Floats) -> Row:
    """Return numbers of rows and cells, both rank correlations, and the mean difference.

    merged, trained: scores of the cells; shape (1 + replicates, cells), the observed scores first. Without replicates,
    there are no intervals.
    """
    languages = [twin.language for twin in twins]
    whole = _correlations(merged, trained)
    within = _mean_within(merged, trained, languages)
    return {
        **{"rows": len({twin.merged for twin in twins}), "cells": len(twins)},
        **_estimate(whole, "spearman", "spearman_"),
        **_estimate(within, "spearman_within", "within_"),
        **_estimate((merged - trained).mean(axis=1), "difference"),
    }


def _correlations(merged: Floats, trained: Floats) -> Floats:
    if merged.shape[1] < MIN_CELLS:
        return np.full(len(merged), np.nan)
    return rank_correlations(merged, trained)


def _mean_within(merged: Floats, trained: Floats, languages: Sequence[str]) -> Floats:
    """Return the mean over test languages of the rank correlation over the rows in that language."""
    columns = [[place for place, own in enumerate(languages) if own == name] for name in dict.fromkeys(languages)]
    found = np.stack([_correlations(merged[:, own], trained[:, own]) for own in columns])
    known = ~np.isnan(found)
    mean: Floats = np.full(len(merged), np.nan)
    np.divide(np.where(known, found, 0).sum(axis=0), known.sum(axis=0), out=mean, where=known.any(axis=0))
    return mean


def _estimate(sampled: Floats, name: str, prefix: str = "") -> Row:
    """Return a statistic with its interval, from the replicates in which it is defined, if both exist."""
    replicates = sampled[1:][~np.isnan(sampled[1:])]
    if np.isnan(sampled[0]) or not len(replicates):
        return {name: sampled[0]}
    return estimate(np.concatenate([sampled[:1], replicates]), name, prefix)


def _sampled(scores: SampledScores, twins: Sequence[Twin]) -> tuple[Floats, Floats]:
    """Return the observed and replicated scores of both sides; shape (1 + replicates, cells)."""
    merged = np.stack([scores.of(twin.merged, twin.language) for twin in twins], axis=1)
    return merged, np.stack([scores.of(twin.trained, twin.language) for twin in twins], axis=1)


def _means(cells: pd.DataFrame, metric: Metric) -> Mapping[tuple[str, str, str], float]:
    """Return (view, mixture, test language) -> mean over seeds."""
    means = average_over_seeds(cells, metric)
    keys = zip(means["view"], means["mixture"], means["test_language"], strict=True)
    return dict(zip(keys, means["score"].astype(float), strict=True))


def _observed(means: Mapping[tuple[str, str, str], float], view: str, twins: Sequence[Twin]) -> tuple[Floats, Floats]:
    """Return the observed scores of both sides; shape (1, cells)."""
    merged = np.array([[means[view, twin.merged, twin.language] for twin in twins]])
    return merged, np.array([[means[view, twin.trained, twin.language] for twin in twins]])
