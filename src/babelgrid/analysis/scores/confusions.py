"""Tabulate the confusion matrix of every mixture and test language, with the ids of example errors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.scores.metrics import count_confusions
from babelgrid.analysis.scores.views import LabelScores, classes_of, read_answers
from babelgrid.config.analysis import View
from babelgrid.runtime.files import write_parquet
from babelgrid.types import Cell, Row

NO_CLASS = ""
"""Predicted class of a predicted label that belongs to no class of the view."""


def tabulate_confusions(
    predictions: Mapping[Cell, str | Path], *, views: Mapping[str, View], examples: int, out: str | Path
) -> None:
    """Write confusions.parquet: view, mixture, test_language, gold, predicted, n, examples.

    predictions: (mixture, seed, test language) -> Parquet with id, gold and logp_<label>. n: posts, summed over seeds.
    predicted is empty (NO_CLASS) for a predicted label that belongs to no class of the view. examples: maximum number
    of post ids listed for each kind of error; errors shared by most seeds come first. The file contains no post texts.
    """
    seeds: dict[tuple[str, str], list[str | Path]] = {}
    for (mixture, _, language), path in predictions.items():
        seeds.setdefault((mixture, language), []).append(path)
    rows: list[Row] = []
    for (mixture, language), paths in seeds.items():
        answers = [read_answers(path) for path in paths]
        for name, view in views.items():
            key = {"view": name, "mixture": mixture, "test_language": language}
            rows.extend(key | entry for entry in _entries(answers, view, examples))
    write_parquet(out, pd.DataFrame(rows))


def _entries(answers: Sequence[LabelScores], view: View, examples: int) -> list[Row]:
    """Return one row for each pair of gold and predicted class; NO_CLASS only where it occurs."""
    counts = np.zeros((len(view), len(view) + 1), dtype=np.int64)
    errors: dict[tuple[int, int], Counter[str]] = {}
    for one in answers:
        gold, predicted = classes_of(one, view)
        inside = np.flatnonzero(gold >= 0)
        counts += count_confusions(gold[inside], predicted[inside], len(view))
        for post in inside[gold[inside] != predicted[inside]]:
            kind = int(gold[post]), int(predicted[post])
            errors.setdefault(kind, Counter())[one.ids[post]] += 1
    names = [*view, NO_CLASS]
    return [
        {
            "gold": names[gold],
            "predicted": names[predicted],
            "n": int(counts[gold, predicted]),
            "examples": [post for post, _ in errors.get((gold, predicted), Counter()).most_common(examples)],
        }
        for gold in range(len(view))
        for predicted in range(len(view) + 1)
        if predicted < len(view) or counts[gold, predicted]
    ]
