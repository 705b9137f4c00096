"""Align the answers of several adapters to the same posts, as the input of paired statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelgrid.analysis.scores.views import LabelScores, classes_of
from babelgrid.config.analysis import View
from babelgrid.errors import UserError
from babelgrid.runtime.files import read_parquet

ABSENT = -1
"""Predicted class of a post that a row did not answer; the post is not counted in that row."""
_UNKNOWN = -2


@dataclass(frozen=True)
class PairedPredictions:
    """The posts of one test language that belong to one view, and the answers of each row."""

    classes: int
    """Number of classes in the view."""
    clusters: NDArray[np.str_]
    """Name of each post's cluster. Posts of one cluster are drawn together; shape (posts,)."""
    gold: NDArray[np.intp]
    """Gold class of each post; shape (posts,)."""
    predicted: NDArray[np.intp]
    """Predicted class of each post, or ABSENT; shape (rows, posts). The value `classes` is no class and is wrong."""


def read_clusters(path: str | Path) -> dict[str, str]:
    """Return the cluster of each post in a posts file: its group, else its source_id, else its id."""
    posts = read_parquet(path, columns=["id", "group", "source_id"])
    named = posts["group"].fillna(posts["source_id"]).fillna(posts["id"])
    return dict(zip(posts["id"], named, strict=True))


def panel_of(rows: Sequence[LabelScores], view: View, clusters: Mapping[str, str]) -> PairedPredictions:
    """Align the answers of all rows to the posts of one language.

    clusters: post id -> cluster; a post without an entry is its own cluster.
    Raises `UserError` if a row contains a post twice, or if two rows have different gold labels for a post.
    """
    numbers: dict[str, int] = {}
    places = [[numbers.setdefault(post, len(numbers)) for post in answers.ids] for answers in rows]
    gold = np.full(len(numbers), _UNKNOWN, dtype=np.intp)
    predicted = np.full((len(rows), len(numbers)), ABSENT, dtype=np.intp)
    for row, (place, answers) in enumerate(zip(places, rows, strict=True)):
        own, predicted[row, place] = classes_of(answers, view)
        _check(gold[place], own, place, answers)
        gold[place] = own
    inside = gold >= 0
    names = np.array([clusters.get(post, post) for post in numbers], dtype=np.str_)
    return PairedPredictions(len(view), names[inside], gold[inside], predicted[:, inside])


def _check(known: NDArray[np.intp], own: NDArray[np.intp], place: list[int], answers: LabelScores) -> None:
    if len(set(place)) < len(place):
        raise UserError(f"{answers.source}: contains a post id twice. Delete the file and run again.")
    differing = (known != _UNKNOWN) & (known != own)
    if differing.any():
        raise UserError(
            f"{answers.source}: the gold labels of {int(differing.sum())} posts differ from those in other mixtures' "
            f"predictions, first {answers.ids[int(differing.argmax())]!r}. Delete the older files and run again."
        )
