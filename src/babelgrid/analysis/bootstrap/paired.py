"""The answers of many adapters to the same posts, side by side: what every paired statistic starts from."""

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
"""The predicted class of a post that a row was not asked: it does not count there."""
_UNKNOWN = -2


@dataclass(frozen=True)
class PairedPredictions:
    """The posts of one test language that are inside one view, and what each row answered to them."""

    classes: int
    """Classes of the view."""
    clusters: NDArray[np.str_]
    """Name of each post's cluster: posts of one cluster are drawn together; shape (posts,)."""
    gold: NDArray[np.intp]
    """Gold class of each post; shape (posts,)."""
    predicted: NDArray[np.intp]
    """Predicted class of each post (`classes`: none of them, so wrong), or ABSENT; shape (rows, posts)."""


def read_clusters(path: str | Path) -> dict[str, str]:
    """Return the cluster of each post of a posts file: its group, else its source_id, else the post by itself."""
    posts = read_parquet(path, columns=["id", "group", "source_id"])
    named = posts["group"].fillna(posts["source_id"]).fillna(posts["id"])
    return dict(zip(posts["id"], named, strict=True))


def panel_of(rows: Sequence[LabelScores], view: View, clusters: Mapping[str, str]) -> PairedPredictions:
    """Bring the rows' answers to one language's posts together, post by post.

    clusters: post id -> cluster; a post that is not in it is a cluster of its own.
    Raises `UserError` where a row holds a post twice, or two rows disagree about the gold label of a post.
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
        raise UserError(f"{answers.source}: holds a post id twice. Delete it and run again.")
    differing = (known != _UNKNOWN) & (known != own)
    if differing.any():
        raise UserError(
            f"{answers.source}: the gold label of {int(differing.sum())} posts is not that of the other mixtures' "
            f"predictions, {answers.ids[int(differing.argmax())]!r} first. Delete the older files and run again."
        )
