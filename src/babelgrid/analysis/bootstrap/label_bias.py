"""Measure label bias: how much a class is over- or under-predicted, and how often it is confused with its opposite.

Intervals are 95% percentile intervals over posts and seeds, from the draws of `replicates`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from babelgrid.analysis.bootstrap.paired import ABSENT, PairedPredictions
from babelgrid.analysis.bootstrap.replicates import Draws, asked_seeds, draw_posts, draw_seeds, read_answered
from babelgrid.analysis.bootstrap.statistics import estimate
from babelgrid.config.analysis import Score, View
from babelgrid.runtime.files import write_csv
from babelgrid.types import Cell, Floats, Row

COLUMNS = (
    *("view", "mixture", "test_language", "class", "n", "gold_share", "predicted_share", "bias", "low", "high"),
    *("opposite", "flipped", "flipped_low", "flipped_high"),
)


def measure_label_bias(
    predictions: Mapping[Cell, str | Path],
    posts: Mapping[str, str | Path],
    *,
    views: Mapping[str, View],
    score: Score,
    seed: int,
    out: str | Path,
) -> None:
    """Write label_bias.csv: one row for each class of each cell, averaged over seeds.

    predictions, posts, views, seed: see `replicates.resample_cells`. score: only bootstrap and opposites are used.
    n: posts of the cell. bias: predicted share minus gold share, with its interval. flipped: share of the class's posts
    that were answered with its opposite (`score.opposites`), with its interval; missing if the class has no opposite
    or no posts.
    """
    mixtures = list(dict.fromkeys(mixture for mixture, _, _ in predictions))
    rows: list[Row] = []
    for (name, language), (panel, row_mixtures, family) in read_answered(predictions, posts, views).items():
        opposites = opposites_of(views[name], score.opposites.get(name, []))
        weights = np.vstack([np.ones(len(panel.gold)), draw_posts(panel.clusters, score.bootstrap, seed, family)])
        for mixture in dict.fromkeys(row_mixtures):
            part = _rows_of(panel, [own == mixture for own in row_mixtures])
            key = {"view": name, "mixture": mixture, "test_language": language}
            draws = draw_seeds(len(part.predicted), score.bootstrap, seed)
            rows.extend({**key, **row} for row in bias_rows(part, list(views[name]), opposites, weights, draws))
    write_csv(out, _sorted(pd.DataFrame(rows, columns=list(COLUMNS)), [*views], mixtures))


def opposites_of(view: View, pair: Sequence[str]) -> dict[str, str]:
    """Return a map from each class to its opposite; empty if the view has no opposites."""
    return {pair[0]: pair[1], pair[1]: pair[0]} if pair else {}


def bias_rows(
    panel: PairedPredictions, classes: Sequence[str], opposites: Mapping[str, str], weights: Floats, draws: Draws
) -> Iterator[Row]:
    """Yield class, n, gold_share, predicted_share, bias and flipped for one mixture in one language.

    panel: one row for each seed of the mixture. weights: how often each post was drawn, the observed sample first;
    shape (1 + resamples, posts). draws: the mixture's draws of seeds; shape (resamples, drawn).
    """
    asked = panel.predicted != ABSENT
    posts = int(asked.sum(axis=1).max(initial=0))
    for number, name in enumerate(classes):
        if not posts:
            yield {"class": name, "n": 0}
            continue
        said, gold = panel.predicted == number, asked & (panel.gold == number)
        predicted_share = over_seeds(_share(said, asked, weights), draws)
        gold_share = over_seeds(_share(gold, asked, weights), draws)
        row = {"class": name, "n": posts, "gold_share": gold_share[0], "predicted_share": predicted_share[0]}
        row |= estimate(predicted_share - gold_share, "bias")
        if name in opposites:
            turned = gold & (panel.predicted == classes.index(opposites[name]))
            flipped = over_seeds(_share(turned, gold, weights), draws)
            row |= {"opposite": opposites[name], **estimate(flipped, "flipped", "flipped_")}
        yield row


def over_seeds(values: Floats, draws: Draws) -> Floats:
    """Average over all seeds in the observed sample (first row), and over the drawn seeds in each replicate.

    values: (1 + resamples, seeds). draws: (resamples, drawn). Returns shape (1 + resamples,).
    """
    drawn = np.take_along_axis(values[1:], draws, axis=1).mean(axis=1)
    return np.concatenate([[values[0].mean()], drawn])


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_], weights: Floats) -> Floats:
    """Return the weighted share of `whole` that is in `part`, both of shape (seeds, posts); NaN if `whole` is empty."""
    numerator, denominator = weights @ part.T, weights @ whole.T
    share: Floats = np.divide(numerator, denominator, out=np.full_like(denominator, np.nan), where=denominator > 0)
    return share


def _sorted(table: pd.DataFrame, views: Sequence[str], mixtures: Sequence[str]) -> pd.DataFrame:
    places = [table["mixture"].map(list(mixtures).index), table["view"].map(list(views).index)]
    return table.iloc[np.lexsort(places)]


def _rows_of(panel: PairedPredictions, rows: Sequence[bool]) -> PairedPredictions:
    return PairedPredictions(panel.classes, panel.clusters, panel.gold, asked_seeds(panel.predicted[np.array(rows)]))
