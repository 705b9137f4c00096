"""Resample the scores of all mixtures jointly over posts and seeds.

Posts are drawn once for each test language and view, and all mixtures are scored on the same draws. Seeds are drawn
once for all mixtures with the same number of seeds, because seed k determines the posts, initial weights and batches of
every mixture in the same way. Replicate b of any two cells is therefore paired: to get the replicates of a difference,
mean or maximum of cells, compute that statistic for each replicate.
"""

import zlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from babelgrid.analysis.bootstrap.paired import ABSENT, PairedPredictions, panel_of, read_clusters
from babelgrid.analysis.scores.metrics import Metric, Weights, score_confusions
from babelgrid.analysis.scores.views import read_answers
from babelgrid.config.analysis import Score, View
from babelgrid.runtime.files import read_parquet, write_parquet
from babelgrid.types import Cell, Floats

KEY = ["view", "mixture", "test_language"]
DESCRIBED = ["seeds", "n", "score"]
"""Columns other than the replicates r0, r1, …: number of seeds, number of posts, and the metric's mean over seeds."""

Draws = NDArray[np.intp]


MIN_CLUSTERS = 2
"""With fewer clusters, every resample equals the sample, and the interval would have zero width."""

System = TypeVar("System", bound=Hashable)
"""The system that a row of a panel belongs to: a mixture, or a baseline of a mixture. Its rows are its seeds."""


class Resampled(NamedTuple):
    """The resampled score of one system in one test language under one view."""

    seeds: int
    n: int
    score: float
    replicates: NDArray[np.float32]
    """Shape (resamples,)."""


class Answered(NamedTuple):
    """The answers of all mixtures to the posts of one test language under one view."""

    panel: PairedPredictions
    mixtures: list[str]
    """Mixture of each row of the panel; the rows of a mixture are its seeds."""
    family: NDArray[np.str_]
    """Names of all clusters in the draw, see `families`."""


def resample_cells(
    predictions: Mapping[Cell, str | Path],
    posts: Mapping[str, str | Path],
    *,
    views: Mapping[str, View],
    score: Score,
    seed: int,
    out: str | Path,
) -> None:
    """Write replicates.parquet: view, mixture, test_language, seeds, n, score, r0 … r<B-1> (float32).

    predictions: (mixture, seed, test language) -> Parquet with id, gold and logp_<label>.
    posts: test language -> posts file with the clusters. If a language is missing, each post is its own cluster.
    score: its metric is resampled `score.bootstrap` times. seed: random seed of all draws. A mixture's replicates do
    not depend on the other mixtures, as long as all mixtures answered the same posts.
    A cell without posts has n = 0 and no score. A cell whose posts are all in one cluster has no replicates.
    Raises `UserError` if a file cannot be read, or if the mixtures' files do not match.
    """
    resampled: dict[tuple[str, str, str], Resampled] = {}
    for (view, language), answered in read_answered(predictions, posts, views).items():
        cells = resample_panel(answered.panel, answered.mixtures, score, seed, answered.family)
        resampled |= {(view, mixture, language): cell for mixture, cell in cells.items()}
    mixtures, languages = (dict.fromkeys(cell[place] for cell in predictions) for place in (0, 2))
    order = [(view, mixture, language) for view in views for mixture in mixtures for language in languages]
    write_parquet(out, _tabulate({key: resampled[key] for key in order if key in resampled}))


def read_answered(
    predictions: Mapping[Cell, str | Path], posts: Mapping[str, str | Path], views: Mapping[str, View]
) -> dict[tuple[str, str], Answered]:
    """Return the answers of all mixtures for each (view, test language)."""
    panels: dict[tuple[str, str], tuple[PairedPredictions, list[str]]] = {}
    for language in dict.fromkeys(language for _, _, language in predictions):
        clusters = read_clusters(posts[language]) if language in posts else {}
        answers = {cell: read_answers(path) for cell, path in predictions.items() if cell[2] == language}
        for name, view in views.items():
            panels[name, language] = panel_of(list(answers.values()), view, clusters), [cell[0] for cell in answers]
    among = {
        name: families({language: panel.clusters for (own, language), (panel, _) in panels.items() if own == name})
        for name in views
    }
    return {(view, language): Answered(*panels[view, language], among[view][language]) for view, language in panels}


def families(clusters: Mapping[str, NDArray[np.str_]]) -> dict[str, NDArray[np.str_]]:
    """Return the names of all clusters in the draw of each language.

    These are the language's own clusters and those of the languages with parallel texts. Two languages have parallel
    texts if they share at least half of the cluster names of the larger one. Parallel texts are then drawn identically
    even if some are missing in one language.
    """
    names = {language: set(own.tolist()) for language, own in clusters.items()}
    groups: list[set[str]] = []
    for language, own in names.items():
        alike = [group for group in groups if any(_are_parallel(own, names[other]) for other in group)]
        groups = [group for group in groups if group not in alike] + [{language}.union(*alike)]
    drawn = [(group, np.unique(np.concatenate([clusters[language] for language in group]))) for group in groups]
    return {language: own for language in clusters for group, own in drawn if language in group}


def _are_parallel(one: set[str], other: set[str]) -> bool:
    most = max(len(one), len(other))
    return most > 0 and 2 * len(one & other) >= most


def resample_panel(
    panel: PairedPredictions,
    rows: Sequence[System],
    score: Score,
    seed: int,
    family: NDArray[np.str_] | None = None,
) -> dict[System, Resampled]:
    """Score and resample every system of a panel.

    rows: system of each row of the panel; the rows of a system are its seeds. Seeds without answers are not counted.
    family: see `draw_posts`.
    """
    drawn = draw_posts(panel.clusters, score.bootstrap, seed, family)
    weights = np.vstack([np.ones(len(panel.gold), np.float32), drawn])
    resampled = {}
    for contestant in dict.fromkeys(rows):
        predicted = asked_seeds(panel.predicted[[name == contestant for name in rows]])
        scores = score_draws(panel.gold, predicted, panel.classes, weights, score.metric)
        seeds = draw_seeds(len(predicted), score.bootstrap, seed)
        replicates = np.take_along_axis(scores[1:], seeds, axis=1).mean(axis=1).astype(np.float32)
        if np.isnan(drawn).any():
            replicates = np.full_like(replicates, np.nan)
        posts = int((predicted != ABSENT).sum(axis=1).max())
        resampled[contestant] = Resampled(len(predicted), posts, float(scores[0].mean()), replicates)
    return resampled


def asked_seeds(predicted: Draws) -> Draws:
    """Return the rows of a panel that have any answers, or all rows if none has."""
    asked = (predicted != ABSENT).any(axis=1)
    return predicted[asked] if asked.any() else predicted


def draw_posts(
    clusters: NDArray[np.str_], resamples: int, seed: int, family: NDArray[np.str_] | None = None
) -> Weights:
    """Draw as many clusters as there are, with replacement; return how often each post was drawn: (resamples, posts).

    The draw depends only on the seed and the cluster names. Parallel texts (clusters with the same names in several
    languages) are therefore drawn identically in all languages.
    family: names of all clusters in the draw, including those without posts in this language. The number of clusters
    drawn from this language then varies; if a resample has none, it is replaced by a draw of the language's own
    clusters.
    With a single cluster there is nothing to resample, and the weights are NaN.
    """
    own = np.unique(clusters)
    if len(own) < MIN_CLUSTERS:
        return np.full((resamples, len(clusters)), np.nan, np.float32)
    names = own if family is None else np.unique(family)
    drawn = _draw(names, resamples, seed)[:, np.searchsorted(names, clusters)]
    empty = drawn.sum(axis=1) == 0
    if empty.any():
        drawn[empty] = _draw(own, resamples, seed)[empty][:, np.searchsorted(own, clusters)]
    return drawn


def _draw(names: NDArray[np.str_], resamples: int, seed: int) -> Weights:
    """Return how often each name is drawn in as many draws as there are names; shape (resamples, names)."""
    generator = np.random.default_rng([seed, zlib.crc32("\n".join(names).encode())])
    return generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples).astype(np.float32)


def draw_seeds(seeds: int, resamples: int, seed: int) -> Draws:
    """Draw seeds with replacement, one fewer than there are; shape (resamples, max(seeds - 1, 1)).

    The draws are the same for all mixtures with this number of seeds. Drawing as many seeds as there are would
    underestimate the variance of the mean by the factor (seeds - 1) / seeds, which is one half for two seeds. Drawing
    one fewer gives the correct variance (Rao and Wu 1988, J. Am. Stat. Assoc. 83:231). A single seed is always drawn,
    so the replicates then do not cover seed variance.
    """
    return np.random.default_rng([seed, seeds]).integers(0, seeds, size=(resamples, max(seeds - 1, 1)))


def score_draws(gold: Draws, predicted: Draws, classes: int, weights: Weights, metric: Metric) -> Floats:
    """Score every row on every draw of posts; shape (draws, rows).

    gold: class of each post. predicted: (rows, posts), as in `PairedPredictions`. weights: (draws, posts).
    The weighted confusion matrices of all rows and draws are computed with one matrix product per gold class.
    """
    rows = len(predicted)
    confusion = np.empty((len(weights), rows, classes, classes + 1), np.float32)
    chosen = (predicted.T[:, :, None] == np.arange(classes + 1)).astype(np.float32)
    for number in range(classes):
        own = gold == number
        product = weights[:, own] @ chosen[own].reshape(-1, rows * (classes + 1))
        confusion[:, :, number] = product.reshape(-1, rows, classes + 1)
    return score_confusions(confusion, [metric])[metric]


def read_replicates(path: str | Path) -> pd.DataFrame:
    """Read replicates.parquet with the index (view, mixture, test_language) and columns seeds, n, score, r0, r1, ….

    The rows keep the file's order. `replicates_of` selects the replicates. Raises `UserError` if the file cannot be
    read.
    """
    return read_parquet(path).set_index(KEY)


def replicates_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns r0, r1, … of a table from `read_replicates`."""
    return frame.drop(columns=DESCRIBED)


def _tabulate(resampled: Mapping[tuple[str, str, str], Resampled]) -> pd.DataFrame:
    cells = list(resampled.values())
    described = {name: [getattr(cell, name) for cell in cells] for name in DESCRIBED}
    values = np.stack([cell.replicates for cell in cells])
    replicates = pd.DataFrame(values, columns=[f"r{number}" for number in range(values.shape[1])])
    return pd.concat([pd.DataFrame(list(resampled), columns=KEY), pd.DataFrame(described), replicates], axis=1)
