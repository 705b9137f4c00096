"""Import predictions made elsewhere, in the same format as the grid's own predictions."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.scores.views import LOGP
from babelgrid.config.fields import named_columns
from babelgrid.config.predictions import Import
from babelgrid.config.prompt import Label
from babelgrid.errors import UserError
from babelgrid.posts.formats import Record
from babelgrid.posts.identifiers import unique_id
from babelgrid.posts.normalize import Meanings
from babelgrid.posts.paths import find_files
from babelgrid.posts.rejects import located, shown
from babelgrid.posts.roles import Fault, check_columns, read_values
from babelgrid.posts.stream import open_stream
from babelgrid.runtime.files import provenance, write_parquet
from babelgrid.spelling import fold
from babelgrid.types import Cell


def import_predictions(
    settings: Import,
    *,
    labels: Mapping[str, Label],
    aliases: Mapping[str, str],
    mixtures: Mapping[str, str],
    seed: int,
    outputs: Mapping[Cell, str | Path],
) -> None:
    """Write the predictions of every cell: id, gold, predicted, logp_<label>, and part if the data has one.

    mixtures: mixture name in the data -> mixture name in the grid. seed: seed of all rows if the data has no seeds.
    outputs: (mixture, seed, test language) -> path; a cell that is missing in the data gets a file without posts.
    A post without an answer has no predicted label and the log-probability -inf for every label.
    Raises `UserError` if the data contains a label, language, mixture or seed that is not in the config, contains a
    post twice, or has no rows for a mixture and seed of the grid.
    """
    files = [file.path for file in find_files(settings.files)]
    rows = pd.concat([_read(path, settings) for path in files], ignore_index=True)
    rows = rows.assign(seed=seed) if settings.columns.seed is None else rows.assign(seed=_numbers(rows, "seed", int))
    answers = _interpret(rows, settings, Meanings(labels, aliases, None), mixtures)
    _check(answers, outputs)
    logp = _log_probabilities(answers, settings, list(labels))
    table = pd.concat(
        [answers[["id", "gold", "predicted", *(["part"] if settings.columns.part else [])]], logp], axis=1
    )
    said = {name: label.model_dump(mode="json") for name, label in labels.items()}
    record = provenance({"import": settings.model_dump(mode="json", by_alias=True), "labels": said}, files)
    cells = answers.groupby(["mixture", "seed", "language"]).indices
    for cell, path in outputs.items():
        own = table.iloc[cells.get(cell, [])]
        write_parquet(path, own.reset_index(drop=True), record)


def _read(path: Path, settings: Import) -> pd.DataFrame:
    """Return the rows of the selected parts as text, with one column for each role and each probability."""
    declared = named_columns(settings.columns)
    roles = declared | {f"{LOGP}{label}": name for label, name in settings.probabilities.items()}
    keys = {f"predictions.import.columns.{role}": name for role, name in declared.items()}
    keys |= {f"predictions.import.probabilities.{label}": name for label, name in settings.probabilities.items()}
    with open_stream(path, set(roles.values())) as stream:
        if stream.columns is not None:
            check_columns(str(path), stream.columns, keys)
        names: dict[str, None] = {}
        rows = []
        for record in stream.records:
            names.update(dict.fromkeys(record.values))
            rows.append(_as_row(record, roles, path))
    if stream.columns is None:
        check_columns(str(path), names, keys)
    table = pd.DataFrame(rows, columns=list(roles), dtype=object)
    if settings.parts is None:
        return table
    return table[table["part"].map(fold).isin({fold(part) for part in settings.parts})]


def _as_row(record: Record, roles: Mapping[str, str], path: Path) -> list[str]:
    """Return the values of a row as text, with identifiers (id, seed) in canonical form."""
    where = located(str(path), record.line)
    values = read_values(record, roles)
    if isinstance(values, Fault):
        raise UserError(f"{where}: {values.reason}{values.explanation}")
    if not values["id"]:
        raise UserError(f"{where}: column {roles['id']!r} is empty. Every post needs an id")
    return [text.strip() for text in values.values()]


def _interpret(rows: pd.DataFrame, settings: Import, meanings: Meanings, mixtures: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows with the grid's names of mixtures, languages and labels."""
    failed = rows["predicted"].map(fold).isin({fold(word) for word in settings.failures})
    if settings.on_failure == "leave_out":
        rows, failed = rows[~failed].reset_index(drop=True), failed[~failed].reset_index(drop=True)
    elsewhere = "; if this value means that there is no answer, add it to predictions.import.failures"
    language = _map(rows["language"], meanings.language, "language", meanings.explain_language)
    ids = [unique_id(value, code) for value, code in zip(rows["id"], language, strict=True)]
    return rows.assign(
        id=np.array(ids, dtype=object),
        language=language,
        mixture=_map(rows["mixture"], mixtures.get, "mixture"),
        gold=_map(rows["gold"], meanings.label, "gold label", meanings.explain_label),
        predicted=_map(
            rows["predicted"].mask(failed),
            meanings.label,
            "predicted label",
            lambda value: meanings.explain_label(value) + elsewhere,
        ),
    )


def _map(
    values: pd.Series, meaning: Callable[[str], str | None], role: str, explain: Callable[[str], str] | None = None
) -> pd.Series:
    """Replace each value by its meaning; missing values stay missing."""
    known = {value: meaning(value) for value in values.dropna().unique()}
    for value, found in known.items():
        if found is None:
            explanation = explain(value) if explain else f" {shown(value)}"
            raise UserError(f"predictions: unknown {role}{explanation}")
    return values.map(known).astype(object)


def _numbers(rows: pd.DataFrame, column: str, kind: type) -> pd.Series:
    try:
        return rows[column].astype(kind)
    except ValueError as error:
        raise UserError(f"predictions: the column for {column} contains a non-numeric value ({error})") from None


def _check(answers: pd.DataFrame, outputs: Mapping[Cell, str | Path]) -> None:
    keys = ["mixture", "seed", "language"]
    found = set(answers[keys].itertuples(index=False, name=None))
    for number, name in enumerate(["mixture", "seed", "language"]):
        others = sorted({str(cell[number]) for cell in found} - {str(cell[number]) for cell in outputs})
        if others:
            allowed = ", ".join(dict.fromkeys(str(cell[number]) for cell in outputs))
            where = {"mixture": "predictions.import.mixtures", "seed": "seeds", "language": "languages.test"}[name]
            raise UserError(
                f"predictions: the files contain the {name} {', '.join(others)}, which is not in the grid. "
                f"Allowed: {allowed}. Add the missing values to {where}, or remove those rows from the files"
            )
    missing = sorted({cell[:2] for cell in outputs} - {cell[:2] for cell in found})
    if missing:
        raise UserError(f"predictions: the files have no rows of mixture {missing[0][0]!r} with seed {missing[0][1]}")
    twice = answers[answers.duplicated([*keys, "id"])]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"predictions: {len(twice)} posts appear twice for the same mixture and seed, first {first['id']!r} of "
            f"{first['mixture']!r}. Keep one row of each; for several seeds, set predictions.import.columns.seed"
        )


def _log_probabilities(answers: pd.DataFrame, settings: Import, labels: list[str]) -> pd.DataFrame:
    """Return logp_<label> of each row; without probabilities, the predicted label has probability 1."""
    columns = {}
    for label in labels:
        name = f"{LOGP}{label}"
        given = (
            _numbers(answers, name, float) if settings.probabilities else answers["predicted"].eq(label).astype(float)
        )
        if not given.between(0, 1).all():
            raise UserError(f"predictions: a probability of {label!r} is not between 0 and 1")
        with np.errstate(divide="ignore"):
            columns[name] = np.log(given.where(answers["predicted"].notna(), 0.0))
    return pd.DataFrame(columns)
