"""Compare each row with the others, the untuned base, its baselines and its rivals, paired on the same posts."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from babelgrid.analysis.bootstrap.intervals import percentile_interval
from babelgrid.analysis.bootstrap.paired import ABSENT, PairedPredictions, panel_of, read_clusters
from babelgrid.analysis.bootstrap.replicates import Draws, Resampled, resample_panel
from babelgrid.analysis.scores.views import LabelScores, read_answers, read_baselines
from babelgrid.config.analysis import Score, View
from babelgrid.mixture import is_merged, is_rival, split_row
from babelgrid.runtime.files import write_csv
from babelgrid.types import Cell, Floats

COLUMNS = (
    *("view", "test_language", "mixture", "against", "kind", "n", "difference", "low", "high"),
    *("p_bootstrap", "p_mcnemar"),
)

MODEL = ""
"""Marks the mixture's own adapters in the place of a baseline name."""
System = tuple[str, str]
"""A mixture, and either MODEL or the name of a baseline fitted to the mixture's posts."""


class Pair(NamedTuple):
    """One comparison. The difference is the mixture's score minus the rival's score."""

    mixture: str
    rival: System
    kind: str
    """`mixture`, `none`, `baseline` or `rival`."""

    @property
    def against(self) -> str:
        """Return the rival's name in the table."""
        return self.rival[1] or self.rival[0]


def compare_cells(
    predictions: Mapping[Cell, str | Path],
    baselines: Mapping[tuple[str, int], str | Path],
    posts: Mapping[str, str | Path],
    *,
    views: Mapping[str, View],
    score: Score,
    seed: int,
    out: str | Path,
) -> None:
    """Write comparisons.csv: one row for each pair of systems, test language and view.

    See `replicates.resample_cells` and `cells.score_cells` for the arguments. Columns: view, test_language, mixture,
    against, kind, n (posts answered by both), difference of the metric, low and high (its 95% paired percentile
    interval over posts and seeds), p_bootstrap (two-sided, from the same replicates, at least 2 / (B + 1)), p_mcnemar
    (see `mcnemar`) and p_holm (p_mcnemar adjusted within each family, see `adjust`).
    """
    beside = {row: read_baselines(path) for row, path in baselines.items()}
    tables = []
    for language in dict.fromkeys(cell[2] for cell in predictions):
        clusters = read_clusters(posts[language]) if language in posts else {}
        answers = _answers_in(language, predictions, beside)
        pairs = pairs_of(list(dict.fromkeys((mixture, name) for mixture, name, _ in answers)))
        for view, classes in views.items() if pairs else ():
            panel = panel_of(list(answers.values()), classes, clusters)
            compared = compare_panel(panel, list(answers), pairs, score, seed)
            tables.append(pd.DataFrame({"view": view, "test_language": language, **compared}))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    write_csv(out, adjust(_sort_by_view(table, list(views))))


def pairs_of(rivals: Sequence[System]) -> list[Pair]:
    """Return all comparisons.

    Every row is compared with `none` and with its baselines, every mixture with every other mixture. A rival's row is
    compared with the mixture whose posts it learnt from: the difference is the mixture's score minus the rival's.
    Merged rows are not compared with other mixtures: merged.csv compares them with their trained twins.
    """
    rows = [mixture for mixture, name in rivals if name == MODEL]
    tuned = [row for row in rows if row != "none"]
    own = [row for row in tuned if not is_rival(row) and not is_merged(row)]
    with_none = [Pair(row, ("none", MODEL), "none") for row in tuned if "none" in rows]
    fitted = [rival for rival in rivals if rival[1] != MODEL]
    with_baselines = [Pair(row, rival, "baseline") for rival in fitted for row in rows if split_row(row)[1] == rival[0]]
    with_rivals = [Pair(split_row(row)[1], (row, MODEL), "rival") for row in tuned if is_rival(row)]
    return [
        *with_none,
        *with_baselines,
        *with_rivals,
        *(Pair(a, (b, MODEL), "mixture") for a, b in combinations(own, 2)),
    ]


def compare_panel(
    panel: PairedPredictions,
    rows: Sequence[tuple[str, str, int]],
    pairs: Sequence[Pair],
    score: Score,
    seed: int,
) -> dict[str, Any]:
    """Return the columns of comparisons.csv for the pairs of one panel.

    rows: (mixture, baseline or MODEL, seed) for each row of the panel.
    """
    resampled = resample_panel(panel, [(mixture, name) for mixture, name, _ in rows], score, seed)
    difference, replicates = _differences(resampled, pairs)
    low, high = percentile_interval(replicates)
    p_mcnemar, n = mcnemar(panel, rows, pairs)
    return {
        "mixture": [pair.mixture for pair in pairs],
        "against": [pair.against for pair in pairs],
        "kind": [pair.kind for pair in pairs],
        "n": n,
        "difference": difference,
        "low": low,
        "high": high,
        "p_bootstrap": bootstrap_p(replicates),
        "p_mcnemar": np.where(n > 0, p_mcnemar, np.nan),
    }


def bootstrap_p(replicates: Floats) -> Floats:
    """Return the two-sided p-value for a difference of 0, from replicates on the last axis.

    The p-value is twice the smaller share of replicates on one side of 0, counting the observed sample as a replicate
    (Davison and Hinkley 1997, Bootstrap Methods and Their Application, section 4.2). It is below 0.05 where the
    percentile interval excludes 0.
    """
    count = replicates.shape[-1]
    smaller = np.minimum((replicates <= 0).sum(axis=-1), (replicates >= 0).sum(axis=-1))
    p = np.minimum(2 * (smaller + 1) / (count + 1), 1)
    return np.where(np.isnan(replicates).any(axis=-1), np.nan, p)


def mcnemar(
    panel: PairedPredictions, rows: Sequence[tuple[str, str, int]], pairs: Sequence[Pair]
) -> tuple[Floats, NDArray[np.intp]]:
    """Return McNemar's exact p-value (1947) and the number of posts answered by both systems, for each pair.

    The test compares how many posts only the first system answers correctly with how many only the second does. Seed k
    is tested against seed k, or against the rival's first seed if the rival has no seed k (as with the untuned base).
    The tests of several seeds use the same posts, so their p-values are combined as twice their mean, at most 1. This
    is valid under any dependence (Rueschendorf 1982; Vovk and Wang 2020, Biometrika 107:791). With one seed, the
    p-value is that of the single test.
    """
    asked = (panel.predicted != ABSENT).astype(float)
    right = (panel.predicted == panel.gold).astype(float)
    only_left = right @ (asked - right).T
    both = asked @ asked.T
    pair, left, right_row = _match_seeds(rows, pairs)
    first, second = only_left[left, right_row], only_left[right_row, left]
    p = np.minimum(2 * binom.cdf(np.minimum(first, second), first + second, 0.5), 1)
    seeds = np.bincount(pair, minlength=len(pairs))
    mean = np.bincount(pair, weights=p, minlength=len(pairs)) / seeds
    n = np.zeros(len(pairs))
    np.maximum.at(n, pair, both[left, right_row])
    return np.where(seeds > 1, np.minimum(2 * mean, 1), mean), n.astype(np.intp)


def adjust(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Add p_holm: p_mcnemar adjusted by Holm (1979, Scand. J. Stat. 6:65) within each view and kind.

    Merged rows and the rows of each rival are families of their own, so that they do not change the p-values of trained
    rows.
    """
    keys = [comparisons["view"], comparisons["kind"], comparisons["mixture"].map(_group_of)]
    families = comparisons.groupby(keys, sort=False)["p_mcnemar"]
    return comparisons.assign(p_holm=families.transform(holm))


def _group_of(row: str) -> str:
    return "merged" if is_merged(row) else split_row(row)[0]


def holm(p: pd.Series) -> pd.Series:
    """Return Holm's step-down adjusted p-values; missing ones stay missing and do not count."""
    known = p.dropna()
    if known.empty:
        return p
    return pd.Series(multipletests(known, method="holm")[1], known.index).reindex(p.index)


def _answers_in(
    language: str,
    predictions: Mapping[Cell, str | Path],
    beside: Mapping[tuple[str, int], Mapping[tuple[str, str], LabelScores]],
) -> dict[tuple[str, str, int], LabelScores]:
    """Return a map from (mixture, baseline or MODEL, seed) to the answers in one test language."""
    models = {
        (cell[0], MODEL, cell[1]): read_answers(path) for cell, path in predictions.items() if cell[2] == language
    }
    baselines = {
        (mixture, name, seed): answers
        for (mixture, seed), by_baseline in beside.items()
        for (name, own_language), answers in by_baseline.items()
        if own_language == language
    }
    return {**models, **baselines}


def _differences(resampled: Mapping[System, Resampled], pairs: Sequence[Pair]) -> tuple[Floats, Floats]:
    """Return the difference of each pair, shape (pairs,), and its replicates, shape (pairs, resamples)."""
    mixtures = [resampled[pair.mixture, MODEL] for pair in pairs]
    rivals = [resampled[pair.rival] for pair in pairs]
    scores = np.array([a.score - b.score for a, b in zip(mixtures, rivals, strict=True)])
    replicates = [a.replicates.astype(float) - b.replicates for a, b in zip(mixtures, rivals, strict=True)]
    return scores, np.stack(replicates)


def _match_seeds(rows: Sequence[tuple[str, str, int]], pairs: Sequence[Pair]) -> tuple[Draws, Draws, Draws]:
    """Return three arrays with one entry per pair and seed: pair number, mixture's row, rival's row."""
    seeds: dict[System, dict[int, int]] = {}
    for number, (mixture, name, seed) in enumerate(rows):
        seeds.setdefault((mixture, name), {})[seed] = number
    matched = []
    for number, pair in enumerate(pairs):
        rival = seeds[pair.rival]
        first = next(iter(rival.values()))
        own = seeds[pair.mixture, MODEL]
        matched += [(number, row, rival.get(seed, first)) for seed, row in own.items()]
    pair_number, left, right = np.array(matched, dtype=np.intp).T
    return pair_number, left, right


def _sort_by_view(table: pd.DataFrame, views: Sequence[str]) -> pd.DataFrame:
    return table.sort_values("view", key=lambda column: column.map(views.index), kind="stable", ignore_index=True)
