"""Score imported predictions by part, for studies that scored the parts of their data separately."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from babelgrid.analysis.scores.metrics import Counts, score_confusions
from babelgrid.analysis.scores.views import answers_of, confusion_of
from babelgrid.config.analysis import View
from babelgrid.runtime.files import read_parquet, write_csv
from babelgrid.types import Cell

POOLED = "pooled"
"""Marks the rows of all test languages together."""


def score_parts(predictions: Mapping[Cell, str | Path], views: Mapping[str, View], out: str | Path) -> None:
    """Write parts.csv: mixture, seed, test_language, part, view, n and every metric.

    predictions: (mixture, seed, test language) -> Parquet with id, gold, part and logp_<label>. After the rows of all
    languages, the rows `pooled` of each view score the posts of a part in all languages together.
    """
    rows = []
    for view, classes in views.items():
        pooled: dict[tuple[str, int, str], Counts] = {}
        for (mixture, seed, language), path in predictions.items():
            for part, confusion in _by_part(path, classes):
                rows.append(_row(view, mixture, seed, language, part, confusion))
                key = (mixture, seed, part)
                pooled[key] = pooled.get(key, np.zeros_like(confusion)) + confusion
        rows += [_row(view, mixture, seed, POOLED, part, counts) for (mixture, seed, part), counts in pooled.items()]
    write_csv(out, pd.DataFrame(rows))


def _by_part(path: str | Path, view: View) -> Iterator[tuple[str, Counts]]:
    frame = read_parquet(path)
    answers = answers_of(frame, str(path))
    groups: Mapping[Any, Any] = frame.groupby("part", sort=False).indices
    for part, posts in groups.items():
        yield str(part), confusion_of(answers.take(posts), view)


def _row(view: str, mixture: str, seed: int, language: str, part: str, confusion: Counts) -> dict[str, Any]:
    key = {"view": view, "mixture": mixture, "seed": seed, "test_language": language, "part": part}
    return {**key, "n": int(confusion.sum()), **{name: float(s) for name, s in score_confusions(confusion).items()}}
