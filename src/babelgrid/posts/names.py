"""The names of the mixtures in predictions made elsewhere: all of the data that the grid must know before any job."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from babelgrid.config.predictions import Import
from babelgrid.errors import UserError, nearest
from babelgrid.posts.paths import find_files
from babelgrid.spelling import fold


def mixture_names(settings: Import) -> list[str]:
    """Return the names of the mixtures in the files, in the order in which they first stand there.

    Of parts that are not read, no name is taken. A CSV is read with the standard library alone, as every job does so.
    Raises `UserError` where a file or the column is missing.
    """
    columns = settings.columns
    wanted = [columns.mixture, *([columns.part] if columns.part else [])]
    names: dict[str, None] = {}
    parts = None if settings.parts is None else {fold(part) for part in settings.parts}
    for file in find_files(settings.files):
        read = _read_csv if file.path.suffix.lower() == ".csv" else _read_other
        for mixture, *part in read(file.path, wanted):
            if parts is None or not part or fold(part[0]) in parts:
                names[mixture] = None
    return list(names)


def _read_csv(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    csv.field_size_limit(2**31 - 1)  # a file of predictions may hold texts, of any length
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = csv.reader(stream)
        places = _places(path, next(rows, []), wanted)
        for row in filter(None, rows):
            if max(places) >= len(row):
                [name, *_] = [name for name, place in zip(wanted, places, strict=True) if place >= len(row)]
                raise UserError(f"{path}, line {rows.line_num}: no value for {name!r}, the row ends before it")
            yield tuple(row[place].strip() for place in places)


def _read_other(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    from babelgrid.posts.formats import read_file  # imports pandas and pyarrow

    columns, records = read_file(path, set(wanted))
    _places(path, columns, wanted)
    yield from (tuple(str(record.values.get(name, "")).strip() for name in wanted) for record in records)


def _places(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> list[int]:
    for name in wanted:
        if name not in columns:
            raise UserError(f"{path}: no column {name!r}{nearest(name, columns)}. The columns: {', '.join(columns)}")
    return [list(columns).index(name) for name in wanted]
