"""Score every cell of the grid together with its baselines.

cells.csv has one row for each mixture, seed, test_language, split and view: n (posts), each metric with <metric>_low
and <metric>_high (its 95% interval over posts), and <baseline>_<metric>. A cell without posts in a view has n = 0 and
no scores. classes.csv has one row for each of their classes: precision, recall, f1, support.
"""

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.scores.metrics import METRICS, Counts, bootstrap_intervals, score_classes, score_confusions
from babelgrid.analysis.scores.views import LabelScores, confusion_of, read_answers, read_baselines
from babelgrid.config.analysis import Score, View
from babelgrid.errors import UserError
from babelgrid.mixture import split_row
from babelgrid.runtime.files import write_csv
from babelgrid.types import Cell, Row

BASELINES = ("majority", "ngram")
SPLIT = "test"
"""The split that predictions are made on."""


def score_cells(
    predictions: Mapping[Cell, str | Path],
    baselines: Mapping[tuple[str, int], str | Path],
    *,
    views: Mapping[str, View],
    score: Score,
    seed: int,
    cells_path: str | Path,
    classes_path: str | Path,
) -> None:
    """Score every cell under every view and write cells.csv and classes.csv.

    predictions: (mixture, seed, test language) -> Parquet with gold and logp_<label>.
    baselines: (mixture, seed) -> Parquet in the format of `baselines.fit_baselines`; it may lack a baseline. Empty for
    imported predictions.
    seed: random seed of the bootstrap. A cell's interval depends only on this seed and the cell, not on the rest of the
    grid.
    Raises `UserError` if a file is missing or broken, or if a baseline answered different posts from the model.
    """
    cells: list[Row] = []
    classes: list[Row] = []
    for row, languages in _by_row(predictions).items():
        beside = _baselines_of(row, baselines)
        for language, path in languages.items():
            answers = read_answers(path)
            for name, view in views.items():
                key = {"mixture": row[0], "seed": row[1], "test_language": language, "split": SPLIT, "view": name}
                confusion = confusion_of(answers, view)
                rivals = _score_baselines(beside, language, view, posts_by_class=confusion.sum(axis=1))
                scores = _score(confusion, score.bootstrap, np.random.default_rng([seed, *_numbers_of(key)]))
                cells.append({**key, "n": int(confusion.sum()), **scores, **rivals})
                classes.extend({**key, **scores} for scores in _score_each_class(confusion, view))
    write_csv(cells_path, pd.DataFrame(cells))
    write_csv(classes_path, pd.DataFrame(classes))


def _by_row(predictions: Mapping[Cell, str | Path]) -> dict[tuple[str, int], dict[str, str | Path]]:
    """Group cells by adapter, so that the baselines of each adapter are read once."""
    rows: dict[tuple[str, int], dict[str, str | Path]] = {}
    for (mixture, seed, language), path in predictions.items():
        rows.setdefault((mixture, seed), {})[language] = path
    return rows


def _baselines_of(
    row: tuple[str, int], baselines: Mapping[tuple[str, int], str | Path]
) -> dict[tuple[str, str], LabelScores]:
    """Return (baseline, language) -> answers for one mixture and seed; empty for a grid without baselines.

    A rival learns from the posts of a mixture, so its baselines are that mixture's.
    """
    if not baselines:
        return {}
    of_mixture = (split_row(row[0])[1], row[1])
    if of_mixture not in baselines:
        raise UserError(f"baselines: there is no file for mixture {of_mixture[0]!r} and seed {row[1]}")
    return read_baselines(baselines[of_mixture])


def _numbers_of(key: Row) -> tuple[int, int]:
    """Return two numbers that make the random generator of a cell unique."""
    name = f"{key['mixture']} {key['test_language']} {key['view']}"
    return key["seed"], zlib.crc32(name.encode())


def _score(confusion: Counts, resamples: int, generator: np.random.Generator) -> Row:
    scores = score_confusions(confusion)
    intervals = bootstrap_intervals(confusion, resamples, generator)
    row: Row = {}
    for metric in METRICS:
        low, high = intervals[metric]
        row |= {metric: float(scores[metric]), f"{metric}_low": low, f"{metric}_high": high}
    return row


def _score_baselines(
    beside: Mapping[tuple[str, str], LabelScores], language: str, view: View, posts_by_class: Counts
) -> Row:
    row: Row = {}
    for baseline in BASELINES:
        answers = beside.get((baseline, language))
        if answers is None:
            row |= {f"{baseline}_{metric}": np.nan for metric in METRICS}
            continue
        confusion = confusion_of(answers, view)
        if (confusion.sum(axis=1) != posts_by_class).any():
            raise UserError(
                f"{answers.source}: contains other {language} posts than the model answered; delete it and run again"
            )
        row |= {f"{baseline}_{metric}": float(value) for metric, value in score_confusions(confusion).items()}
    return row


def _score_each_class(confusion: Counts, view: View) -> Iterator[Row]:
    scores = score_classes(confusion)
    for number, name in enumerate(view):
        row: Row = {measure: float(values[number]) for measure, values in scores.items()}
        yield {"class": name, **row, "support": int(row["support"])}
