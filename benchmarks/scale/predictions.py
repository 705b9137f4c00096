"""Write synthetic predictions and baselines in the real file formats, as inputs of score_cells."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.scores.cells import BASELINES
from babelgrid.runtime.files import provenance, write_parquet
from benchmarks.scale.grid import LABELS, LANGUAGES

POSTS = 300
"""Test posts per language."""
DRAWN = 20
"""Number of rows with newly drawn answers."""
Row = tuple[str, int]


def write_grid(folder: Path, rows: Sequence[Row]) -> None:
    """Write the predictions of every (row, language) and the baselines of every row to the workflow's paths.

    Every row has its own files. Their content is drawn for the first `DRAWN` rows and copied to the other rows, which
    makes no difference to the cost of reading.
    """
    generator = np.random.default_rng(0)
    posts = {language: _posts(language, generator) for language in LANGUAGES}
    record = provenance({}, [])
    for number, row in enumerate(rows):
        if number < DRAWN:
            for language, frame in posts.items():
                write_parquet(prediction_file(folder, *row, language), _predict(frame, generator), record)
            write_parquet(baseline_file(folder, *row), _baselines(posts, generator), record)
        else:
            original = rows[number % DRAWN]
            for language in LANGUAGES:
                _copy(prediction_file(folder, *original, language), prediction_file(folder, *row, language))
            _copy(baseline_file(folder, *original), baseline_file(folder, *row))


def prediction_file(folder: Path, mixture: str, seed: int, language: str) -> Path:
    """Return the workflow's path of a cell's predictions in an experiment's results folder."""
    return folder / "predictions" / mixture / f"seed{seed}" / f"{language}.parquet"


def baseline_file(folder: Path, mixture: str, seed: int) -> Path:
    """Return the workflow's path of a row's baselines in an experiment's results folder."""
    return folder / "baselines" / mixture / f"seed{seed}.parquet"


def _posts(language: str, generator: np.random.Generator) -> pd.DataFrame:
    """Return id and label of a language's test posts."""
    ids = [f"{language}-{number:016x}" for number in range(POSTS)]
    return pd.DataFrame({"id": ids, "label": generator.choice(list(LABELS), POSTS)})


def _predict(posts: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Return predictions in the format of `predict`, correct for about 60% of posts."""
    labels = list(LABELS)
    scores = generator.normal(size=(len(posts), len(labels)))
    scores += 1.5 * (posts["label"].to_numpy()[:, None] == np.array(labels))
    logp = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    predicted = np.array(labels)[logp.argmax(axis=1)]
    table = pd.DataFrame({"id": posts["id"], "gold": posts["label"], "predicted": predicted})
    return table.assign(**{f"logp_{label}": logp[:, column] for column, label in enumerate(labels)})


def _baselines(posts: Mapping[str, pd.DataFrame], generator: np.random.Generator) -> pd.DataFrame:
    """Return the answers of each baseline in every language, in the format of `fit_baselines`."""
    answers = [
        _predict(frame, generator).assign(baseline=baseline, language=language)
        for baseline in BASELINES
        for language, frame in posts.items()
    ]
    return pd.concat(answers, ignore_index=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
