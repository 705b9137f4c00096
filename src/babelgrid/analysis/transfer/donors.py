"""Measure transfer between languages, and find donors and recipients.

All intervals are 95% percentile intervals of the joint bootstrap over posts and seeds.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.mixture import Mixture
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats, Row

UNTUNED = "none"

TRANSFER = (
    *("view", "mixture", "test_language", "n", "ranked", "score", "low", "high"),
    *("gap", "gap_low", "gap_high", "gain", "gain_low", "gain_high"),
)
DONORS = ("view", "role", "name", "cells", "score", "low", "high", "gain", "gain_low", "gain_high")
CONTRASTS = ("view", "kind", "mixture", "against", "test_language", "n", "effect", "low", "high")
CLUSTERS = ("view", "axis", "position", "name")


def measure_transfer(
    replicates_path: str | Path,
    mixtures: Sequence[Mixture],
    *,
    min_posts: int,
    transfer_path: str | Path,
    donors_path: str | Path,
    contrasts_path: str | Path,
    clusters_path: str | Path,
) -> None:
    """Write transfer.csv, donors.csv, contrasts.csv and clusters.csv; see the functions below for their columns."""
    views = read_sampled_scores(replicates_path, min_posts)
    tables: dict[str | Path, tuple[Sequence[str], Callable[[SampledScores], Iterator[Row]]]] = {
        transfer_path: (TRANSFER, transfer_rows),
        donors_path: (DONORS, lambda own: donor_rows(own, mixtures)),
        contrasts_path: (CONTRASTS, lambda own: contrast_rows(own, mixtures)),
        clusters_path: (CLUSTERS, cluster_rows),
    }
    for path, (columns, rows_of) in tables.items():
        rows = [{"view": view, **row} for view, own in views.items() for row in rows_of(own)]
        write_csv(path, pd.DataFrame(rows, columns=list(columns)))


def transfer_rows(scores: SampledScores) -> Iterator[Row]:
    """Yield mixture, test_language, n, ranked, score, gap and gain of each cell, the last three with intervals.

    gap: the score minus that of the adapter trained only on the test language. gain: the score minus that of the
    untuned base. Each is missing if the grid lacks the adapter or base that it is compared with.
    """
    for mixture, language in scores.cells:
        own = scores.of(mixture, language)
        cell = (mixture, language)
        yield {
            **{"mixture": mixture, "test_language": language},
            **{"n": scores.posts[cell], "ranked": scores.ranked[cell]},
            **estimate(own, "score"),
            **estimate(own - scores.in_own_language(language), "gap", "gap_"),
            **estimate(own - scores.of(UNTUNED, language), "gain", "gain_"),
        }


def donor_rows(scores: SampledScores, mixtures: Sequence[Mixture]) -> Iterator[Row]:
    """Yield role, name, cells, score and gain (over the untuned base), with intervals.

    A donor is a trained mixture; its score is the mean over the test languages that it was not trained on. A recipient
    is a test language; its score is the mean over the adapters trained on one other language. cells: number of cells;
    only ranked cells count. Donors trained on different languages are averaged over different test languages, so their
    scores are not directly comparable.
    """
    trained = [mixture for mixture in mixtures if mixture.is_trained and mixture.name in scores.mixtures]
    for donor in trained:
        targets = [(donor.name, language) for language in scores.languages if language not in donor.all_languages]
        yield from _mean_row("donor", donor.name, targets, scores)
    for language in scores.languages:
        alone = [mixture.name for mixture in trained if mixture.all_languages == (mixture.name,)]
        yield from _mean_row("recipient", language, [(name, language) for name in alone if name != language], scores)


def contrast_rows(scores: SampledScores, mixtures: Sequence[Mixture]) -> Iterator[Row]:
    """Yield kind, mixture, against, test_language, n, effect, low, high.

    asymmetry: the transfer from `mixture` to `against` minus the transfer from `against` to `mixture`.
    second_language: the score of a pair minus the better score of its two monolingual adapters, chosen per replicate.
    left_out: the score of `all` in a language minus that of `all-<language>`: the gain from the language's own posts.
    n: number of posts; if a contrast compares two cells, the smaller number.
    """
    alone = [language for language in scores.languages if (language, language) in scores]
    for one, other in combinations(alone, 2):
        effect = scores.of(one, other) - scores.of(other, one)
        yield _contrast("asymmetry", (one, other), (other, one), other, effect, scores)
    known = {mixture.name: mixture for mixture in mixtures if mixture.is_trained}
    for mixture, language in scores.cells:
        made_of = known[mixture].all_languages if mixture in known else ()
        if len(made_of) == 2 and not known[mixture].dose and all(part in scores.mixtures for part in made_of):
            best = np.maximum(*(scores.of(part, language) for part in made_of))
            effect = scores.of(mixture, language) - best
            cell = (mixture, language)
            yield _contrast("second_language", cell, cell, ", ".join(made_of), effect, scores)
        if mixture == f"all-{language}" and ("all", language) in scores:
            cells = ("all", language), (mixture, language)
            yield _contrast("left_out", *cells, mixture, scores.of(*cells[0]) - scores.of(*cells[1]), scores)


def cluster_rows(scores: SampledScores) -> Iterator[Row]:
    """Yield axis (mixture or test_language), position and name, with similar names next to each other.

    The order comes from average linkage on the Euclidean distances between rows (or columns) of the transfer matrix,
    with optimal leaf ordering (Bar-Joseph, Gifford and Jaakkola 2001, Bioinformatics 17:S22). Only languages in which
    all mixtures were scored are included.
    """
    observed = pd.Series({cell: scores.of(*cell)[0] for cell in scores.cells}).unstack()
    matrix = observed.reindex(index=scores.mixtures, columns=scores.languages).dropna(axis="columns")
    for axis, rows in {"mixture": matrix, "test_language": matrix.T}.items():
        for position, name in enumerate(_order_alike(rows)):
            yield {"axis": axis, "position": position, "name": name}


def _order_alike(rows: pd.DataFrame) -> list[str]:
    names = rows.index.tolist()
    if len(names) < 3 or not rows.shape[1]:
        return names
    # Optimal ordering takes minutes for more than 500 leaves.
    tree = linkage(rows.to_numpy(float), "average", optimal_ordering=len(names) <= 500)
    return [names[leaf] for leaf in leaves_list(tree)]


def _mean_row(role: str, name: str, cells: Sequence[tuple[str, str]], scores: SampledScores) -> Iterator[Row]:
    ranked = [cell for cell in cells if cell in scores and scores.ranked[cell]]
    if ranked:
        mean = scores.mean(ranked)
        gain = mean - scores.mean([(UNTUNED, language) for _, language in ranked])
        described = {"role": role, "name": name, "cells": len(ranked)}
        yield {**described, **estimate(mean, "score"), **estimate(gain, "gain", "gain_")}


def _contrast(
    kind: str,
    cell: tuple[str, str],
    other: tuple[str, str],
    against: str,
    effect: Floats,
    scores: SampledScores,
) -> Row:
    n = min(scores.posts.get(cell, 0), scores.posts.get(other, 0))
    described = {"kind": kind, "mixture": cell[0], "against": against, "test_language": cell[1], "n": n}
    return {**described, **estimate(effect)}
