"""The names of the mixtures in predictions made elsewhere: all of the data that the grid must know before any job."""

import csv
from collections.abc import Iterator
from pathlib import Path

from babelgrid.config.predictions import Import
from babelgrid.errors import UserError, nearest
from babelgrid.posts.paths import find_files


def mixture_names(settings: Import) -> list[str]:
    """Return the names of the mixtures in the files, in the order in which they first stand there.

    Of parts that are not read, no name is taken. A CSV is read with the standard library alone, as every job does so.
    Raises `UserError` where a file or the column is missing.
    """
    names: dict[str, None] = {}
    for file in find_files(settings.files):
        rows = _csv_rows(file.path) if file.path.suffix.lower() == ".csv" else _other_rows(file.path, settings)
        for mixture, part in _values(rows, settings, file.path):
            if settings.parts is None or part in settings.parts:
                names[mixture] = None
    return list(names)


def _values(rows: Iterator[dict[str, str]], settings: Import, path: Path) -> Iterator[tuple[str, str]]:
    columns = settings.columns
    for row in rows:
        for column in filter(None, [columns.mixture, columns.part]):
            if column not in row:
                raise UserError(f"{path}: no column {column!r}{nearest(column, row)}. The columns: {', '.join(row)}")
        yield row[columns.mixture].strip(), row[columns.part].strip() if columns.part else ""


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        for row in csv.DictReader(stream):
            yield {name: value for name, value in row.items() if isinstance(value, str)}


def _other_rows(path: Path, settings: Import) -> Iterator[dict[str, str]]:
    from babelgrid.posts.formats import read_file  # imports pandas and pyarrow

    wanted = {name for name in (settings.columns.mixture, settings.columns.part) if name}
    _, records = read_file(path, wanted)
    for record in records:
        yield {name: str(value) for name, value in record.values.items() if name in wanted}
