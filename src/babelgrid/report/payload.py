"""Build the data for the page's script: the numbers of every cell and the orders of the matrix."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from babelgrid.analysis.exposure.exposure import exposure_of_languages, seen_cells
from babelgrid.analysis.exposure.shares import describe_quantity
from babelgrid.analysis.scores.confusions import NO_CLASS
from babelgrid.analysis.scores.matrix import average_over_seeds
from babelgrid.analysis.scores.merged import merge_scores
from babelgrid.analysis.scores.metrics import METRICS, Metric
from babelgrid.config.analysis import View
from babelgrid.display.order import group_mixtures, language_name, order_clusters
from babelgrid.display.text import SCORE_DIGITS
from babelgrid.figures.style import METRIC_NAMES
from babelgrid.mixture import is_rival, split_row
from babelgrid.report.families import families_of

Json = dict[str, Any]

_STEPS = 64
"""Number of colours in a colour scale of the page."""


def build_payload(
    cells: pd.DataFrame,
    exposure: pd.DataFrame,
    *,
    views: Mapping[str, View],
    metric: Metric,
    table: str,
    scores: pd.DataFrame | None,
    clusters: pd.DataFrame | None,
    confusions: pd.DataFrame | None,
) -> Json:
    """Return the grid as plain builtins for JSON; scores are in units of 1e-5, missing ones are null.

    cells, exposure, scores, clusters, confusions: the tables of those names. metric: the metric that is shown first;
    its intervals are taken from scores.csv if that table exists. table: the share table that languages are ordered by.
    Arrays are in mixture-major order: all languages of the first mixture, then of the next.
    """
    mixtures = _order_mixtures(cells, seen_cells(exposure))
    languages = cells["test_language"].drop_duplicates().tolist()
    grid = pd.MultiIndex.from_product([list(mixtures), languages], names=["mixture", "test_language"])
    means = {name: average_over_seeds(cells, name) for name in METRICS if name != metric}
    means[metric] = merge_scores(cells, scores, metric)
    posts = _number_examples(confusions, languages)
    return {
        "metric": metric,
        "metrics": METRIC_NAMES,
        "exposure": describe_quantity(table),
        "mixtures": _describe_mixtures(mixtures, exposure, languages),
        "views": [
            _view_payload(view, classes, means, grid, metric)
            | _cluster_payload(view, clusters, list(mixtures), languages)
            | _confusion_payload(view, classes, grid, confusions, posts)
            for view, classes in views.items()
        ],
        "posts": {code: list(numbers) for code, numbers in posts.items()},
        **_language_payload(mixtures, languages, exposure, table),
        "colours": {"score": _colours("cividis"), "difference": _colours("RdBu")},
    }


def _order_mixtures(cells: pd.DataFrame, seen: set[tuple[str, str]]) -> dict[str, str]:
    """Return mixture -> title of its group, in the same order as in figures."""
    groups = group_mixtures(cells["mixture"].drop_duplicates().tolist(), seen)
    return {name: group for group, names in groups.items() for name in names}


def _describe_languages(languages: Sequence[str], shares: pd.Series, families: Mapping[str, str]) -> list[Json]:
    return [
        {"code": code, "name": language_name(code), "family": families[code], "exposure": _number(shares.get(code))}
        for code in languages
    ]


def _describe_mixtures(mixtures: Mapping[str, str], exposure: pd.DataFrame, languages: Sequence[str]) -> list[Json]:
    """Return each mixture with its group, the indices of the test languages in it, and its number of posts."""
    posts = exposure.groupby("mixture")["finetune_posts"].sum(min_count=1)
    number = {code: position for position, code in enumerate(languages)}
    held: dict[str, list[int]] = {name: [] for name in mixtures}
    for name, language in sorted(seen_cells(exposure)):
        if name in held and language in number:
            held[name].append(number[language])
    return [
        {"name": name, "group": group, "seen": sorted(held[name]), "posts": _number(posts.get(name))}
        | ({"rival": True} if is_rival(name) else {})
        for name, group in mixtures.items()
    ]


def _view_payload(
    view: str,
    classes: View,
    means: Mapping[Metric, pd.DataFrame],
    grid: pd.MultiIndex,
    metric: Metric,
) -> Json:
    by_metric = {
        name: frame[frame["view"] == view].set_index(["mixture", "test_language"]).reindex(grid)
        for name, frame in means.items()
    }
    shown = by_metric[metric]
    return {
        "name": view,
        "classes": list(classes),
        "n": [_number(value) for value in shown["n"]],
        "seeds": [_number(value) for value in shown["seeds"]],
        "unranked": np.flatnonzero(shown["ranked"].ne(True)).tolist(),
        "metrics": {
            name: {column: _in_units(frame[column]) for column in ("score", "low", "high", "baseline")}
            for name, frame in by_metric.items()
        },
    }


def _cluster_payload(
    view: str, clusters: pd.DataFrame | None, mixtures: Sequence[str], languages: Sequence[str]
) -> Json:
    """Return positions in the order of clusters.csv; without that table, languages and mixtures keep their order."""
    orders = {"languages": ("test_language", languages), "rows": ("mixture", mixtures)}
    return {
        "clusters": {
            key: _positions(names if clusters is None else order_clusters(clusters, view, axis, names), names)
            for key, (axis, names) in orders.items()
        }
    }


def _number_examples(confusions: pd.DataFrame | None, languages: Sequence[str]) -> dict[str, dict[str, int]]:
    """Number the example posts of each language, to store each id once in the page: language -> id -> number."""
    numbers: dict[str, dict[str, int]] = {code: {} for code in languages}
    if confusions is not None:
        for code, examples in zip(confusions["test_language"], confusions["examples"], strict=True):
            for post in examples:
                numbers[code].setdefault(post, len(numbers[code]))
    return numbers


def _confusion_payload(
    view: str,
    classes: View,
    grid: pd.MultiIndex,
    confusions: pd.DataFrame | None,
    posts: Mapping[str, Mapping[str, int]],
) -> Json:
    """Return flat arrays over cell, gold class and predicted class (or none): counts, and numbers of example posts."""
    if confusions is None:
        return {"confusion": None, "examples": None}
    kinds = [(gold, predicted) for gold in classes for predicted in [*classes, NO_CLASS]]
    place = {(*cell, *kind): row for row, (cell, kind) in enumerate(product(grid, kinds))}
    counts = [0] * len(place)
    examples: list[list[int] | int] = [0] * len(place)
    own = confusions[confusions["view"] == view]
    for *key, n, found in own[[*grid.names, "gold", "predicted", "n", "examples"]].itertuples(index=False):
        counts[place[tuple(key)]] = n
        examples[place[tuple(key)]] = [posts[key[1]][post] for post in found] or 0
    return {"confusion": counts, "examples": examples}


def _order_languages(languages: Sequence[str], shares: pd.Series, families: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the orders of languages that do not depend on scores; unknown exposure comes last."""

    def rank(code: str) -> float:
        return -float(shares[code]) if pd.notna(shares.get(code)) else np.inf

    by_exposure = sorted(languages, key=rank)
    return {
        "exposure": by_exposure,
        "family": sorted(by_exposure, key=lambda code: families[code]),
        "name": sorted(languages, key=language_name),
    }


def _language_payload(
    mixtures: Mapping[str, str], languages: Sequence[str], exposure: pd.DataFrame, table: str
) -> Json:
    """Return the languages, and the positions of languages and mixtures in each order that does not need scores."""
    shares = exposure_of_languages(exposure, table)
    families = families_of(languages)
    orders = _order_languages(languages, shares, families)
    return {
        "languages": _describe_languages(languages, shares, families),
        "orders": {name: _positions(order, languages) for name, order in orders.items()},
        "rows": {name: _order_rows(mixtures, order) for name, order in orders.items()},
    }


def _order_rows(mixtures: Mapping[str, str], languages: Sequence[str]) -> list[int]:
    """Return the indices of mixtures, ordered by group and then by the languages and the dose in their names."""
    groups = list(dict.fromkeys(mixtures.values()))
    rank = {"all": -1} | {code: position for position, code in enumerate(languages)}

    def key(position: int) -> tuple[Any, ...]:
        name, group = names[position]
        parts = re.split("[+@~]", split_row(name)[1].removeprefix("all-"))
        return groups.index(group), [int(part) if part.isdigit() else rank.get(part, len(rank)) for part in parts]

    names = list(mixtures.items())
    return sorted(range(len(names)), key=key)


def _positions(order: Sequence[str], names: Sequence[str]) -> list[int]:
    place = {name: position for position, name in enumerate(names)}
    return [place[name] for name in order]


def _colours(scale: str) -> list[str]:
    return [to_hex(colour) for colour in colormaps[scale](np.linspace(0, 1, _STEPS))]


def _in_units(values: pd.Series) -> list[int | None]:
    """Return scores as integers, in which they take less space."""
    return [None if np.isnan(value) else round(value * 10**SCORE_DIGITS) for value in values.to_numpy(float)]


def _number(value: Any) -> float | int | None:
    if value is None or pd.isna(value):
        return None
    return int(value) if float(value).is_integer() else round(float(value), 6)
