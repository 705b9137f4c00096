"""Read predictions and evaluate them under views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from babelgrid.analysis.scores.metrics import Counts, count_confusions
from babelgrid.config.analysis import View
from babelgrid.errors import UserError, nearest
from babelgrid.runtime.files import read_parquet

LOGP = "logp_"
"""Prefix of the columns with a label's log-probability."""


@dataclass(frozen=True)
class LabelScores:
    """The answers to a set of posts: gold labels and the log-probability of every label."""

    source: str
    """Source of the answers, for error messages."""
    ids: tuple[str, ...]
    """Id of each post."""
    labels: tuple[str, ...]
    gold: NDArray[np.intp]
    """Index of each post's gold label; shape (posts,)."""
    logp: NDArray[np.float64]
    """Natural log-probabilities, -inf allowed; shape (posts, labels)."""

    @classmethod
    def from_columns(
        cls, ids: Sequence[str], gold: Sequence[str], logp: Mapping[str, NDArray[np.float64]], source: str
    ) -> Self:
        """Create from the columns of a predictions table, with checks.

        logp: label -> log-probability of each post.
        Raises `UserError` if a gold label has no log-probabilities, or if a log-probability is NaN or +inf.
        """
        labels = tuple(logp)
        index = {label: number for number, label in enumerate(labels)}
        unknown = sorted(set(gold) - set(labels))
        if unknown:
            raise UserError(
                f"{source}: there is no column {LOGP}… for the gold label {unknown[0]!r}{nearest(unknown[0], labels)}. "
                f"Labels found: {', '.join(labels) or 'none'}. Delete the file and run again."
            )
        scores = np.column_stack(list(logp.values())).astype(float) if logp else np.empty((len(gold), 0))
        if np.isnan(scores).any():
            raise UserError(f"{source}: {int(np.isnan(scores).any(axis=1).sum())} posts have NaN in {LOGP}… columns")
        if np.isposinf(scores).any():
            raise UserError(f"{source}: {int(np.isposinf(scores).any(axis=1).sum())} posts have +inf in {LOGP}…")
        return cls(source, tuple(ids), labels, np.array([index[label] for label in gold], dtype=np.intp), scores)

    def take(self, posts: NDArray[np.intp]) -> Self:
        """Return the answers to the posts at the given positions."""
        ids = tuple(self.ids[post] for post in posts)
        return replace(self, ids=ids, gold=self.gold[posts], logp=self.logp[posts])


def read_answers(path: str | Path) -> LabelScores:
    """Read one predictions file with the columns id, gold and logp_<label>.

    `ParquetFile` is an order of magnitude faster than pandas, which matters for 12,000 files.
    """
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name in {"id", "gold"} or name.startswith(LOGP)]
            table = file.read(columns=columns, use_threads=False)
        logp = {name.removeprefix(LOGP): table[name].to_numpy() for name in columns if name.startswith(LOGP)}
        return LabelScores.from_columns(table["id"].to_pylist(), table["gold"].to_pylist(), logp, str(path))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as predictions ({error}). Delete it and run again.") from error


def answers_of(frame: pd.DataFrame, source: str) -> LabelScores:
    """Return the answers in a table with the columns id, gold and logp_<label>."""
    logp = {name.removeprefix(LOGP): frame[name].to_numpy(float) for name in frame.columns if name.startswith(LOGP)}
    return LabelScores.from_columns(frame["id"].tolist(), frame["gold"].tolist(), logp, source)


def read_baselines(path: str | Path) -> dict[tuple[str, str], LabelScores]:
    """Read a file written by `baselines.write_baselines` and return (baseline, language) -> answers."""
    frame = read_parquet(path)
    answers = answers_of(frame, str(path))
    groups: Mapping[Any, Any] = frame.groupby(["baseline", "language"], sort=False).indices
    return {(str(name), str(language)): answers.take(posts) for (name, language), posts in groups.items()}


def class_probabilities(answers: LabelScores, view: View) -> NDArray[np.float64]:
    """Return the probability of each class, conditional on the classes of the view; shape (posts, classes).

    The probability of a class is the sum over its labels. If every label of the view has probability 0, the classes
    are equally probable.
    """
    probability = _probabilities_in(answers, view)
    total = probability.sum(axis=1, keepdims=True)
    even: NDArray[np.float64] = np.full_like(probability, 1 / len(view))
    np.divide(probability, total, out=even, where=total > 0)
    return even


def classes_of(answers: LabelScores, view: View) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the gold and the predicted class of each post under a view, as indices; each of shape (posts,).

    The gold class is -1 if the gold label is in no class; the post is then outside the view. The predicted class is the
    most probable class, or the first of several equally probable ones. If every label of the view has probability 0,
    the predicted class is len(view), which is no class and always wrong. This happens for imported predictions that
    failed, or that have no probabilities and a label outside the view.
    """
    gold_class = np.full(len(answers.labels), -1, dtype=np.intp)
    for number, labels in enumerate(view.values()):
        gold_class[[_position(label, answers) for label in labels]] = number
    probability = _probabilities_in(answers, view)
    predicted = np.where(probability.sum(axis=1) > 0, probability.argmax(axis=1), len(view))
    return gold_class[answers.gold], predicted


def confusion_of(answers: LabelScores, view: View) -> Counts:
    """Return the confusion matrix of a view over its posts (see `classes_of`); shape (classes, classes + 1).

    Rows are gold classes, columns predicted classes. The last column counts posts answered with no class of the view.
    """
    gold, predicted = classes_of(answers, view)
    inside = gold >= 0
    return count_confusions(gold[inside], predicted[inside], len(view))


def _probabilities_in(answers: LabelScores, view: View) -> NDArray[np.float64]:
    """Sum probabilities by class, scaled to 1 for the view's most probable label to avoid underflow."""
    classes = [[_position(label, answers) for label in labels] for labels in view.values()]
    named = [position for positions in classes for position in positions]
    highest = answers.logp[:, named].max(axis=1, keepdims=True, initial=-np.inf)
    scaled = np.exp(answers.logp - np.where(np.isfinite(highest), highest, 0))
    return np.column_stack([scaled[:, positions].sum(axis=1) for positions in classes])


def _position(label: str, answers: LabelScores) -> int:
    if label not in answers.labels:
        raise UserError(
            f"{answers.source}: a view contains the label {label!r}, which has no column {LOGP}{label}"
            f"{nearest(label, answers.labels)}. Labels found: {', '.join(answers.labels) or 'none'}"
        )
    return answers.labels.index(label)
