"""The names of the mixtures in predictions made elsewhere: all of the data that the grid must know before any job."""

import csv
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from babelgrid.config.predictions import Import
from babelgrid.errors import UserError, nearest
from babelgrid.posts.paths import find_files


def mixture_names(settings: Import) -> list[str]:
    """Return the names of the mixtures in the files, in the order in which they first stand there.

    Of parts that are not read, no name is taken. A CSV is read with the standard library alone, as every job does so.
    Raises `UserError` where a file or the column is missing.
    """
    columns = settings.columns
    wanted = [columns.mixture, *([columns.part] if columns.part else [])]
    names: dict[str, None] = {}
    for file in find_files(settings.files):
        read = _READERS.get(file.path.suffix.lower(), _read_other)
        for mixture, *part in read(file.path, wanted):
            if settings.parts is None or not part or part[0] in settings.parts:
                names[mixture] = None
    return list(names)


def _read_csv(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        csv.field_size_limit(2**31 - 1)  # a file of predictions may hold texts, of any length
        rows = csv.reader(stream)
        pick = itemgetter(*_places(path, next(rows, []), wanted), 0)  # and a first field, so that it is always a tuple
        found = dict.fromkeys(pick(row)[:-1] for row in rows if row)
    yield from (tuple(value.strip() for value in values) for values in found)


def _read_parquet(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    import pyarrow.parquet

    _places(path, pyarrow.parquet.read_schema(path).names, wanted)
    table = pyarrow.parquet.read_table(path, columns=list(wanted))
    seen = table.group_by(list(wanted), use_threads=False).aggregate([])  # one thread keeps the order of the rows
    yield from zip(*(map(str, seen[name].to_pylist()) for name in wanted), strict=True)


def _read_other(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    from babelgrid.posts.formats import read_file  # imports pandas

    columns, records = read_file(path, set(wanted))
    _places(path, columns, wanted)
    yield from (tuple(str(record.values.get(name, "")).strip() for name in wanted) for record in records)


def _places(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> list[int]:
    for name in wanted:
        if name not in columns:
            raise UserError(f"{path}: no column {name!r}{nearest(name, columns)}. The columns: {', '.join(columns)}")
    return [list(columns).index(name) for name in wanted]


_READERS = {".csv": _read_csv, ".parquet": _read_parquet}
