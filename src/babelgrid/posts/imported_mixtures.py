"""Read the names of the mixtures in imported predictions, which the grid needs before any job runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from babelgrid.config.predictions import Import
from babelgrid.errors import UserError, nearest
from babelgrid.posts.paths import find_files
from babelgrid.posts.rejects import located, shown
from babelgrid.posts.stream import open_stream
from babelgrid.spelling import fold


def mixture_names(settings: Import) -> list[str]:
    """Return the names of the mixtures in the files, in the order in which they first occur.

    Parts that are not read contribute no names. Text files are read without pandas or Arrow, to keep the start-up of
    every job fast. Raises `UserError` if a file or the column is missing, or if a row is broken.
    """
    columns = settings.columns
    wanted = [columns.mixture, *([columns.part] if columns.part else [])]
    names: dict[str, None] = {}
    parts = None if settings.parts is None else {fold(part) for part in settings.parts}
    for file in find_files(settings.files):
        for mixture, *part in _values(file.path, wanted):
            if parts is None or not part or fold(part[0]) in parts:
                names[mixture] = None
    return list(names)


def _values(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    seen: dict[str, None] = {}
    with open_stream(path, set(wanted)) as stream:
        if stream.columns is not None:
            _check_columns(path, stream.columns, wanted)
        for record in stream.records:
            if record.broken:
                raise UserError(f"{located(str(path), record.line)}: {record.broken}{record.explanation}")
            seen.update(dict.fromkeys(record.values))
            yield tuple("" if (value := record.values.get(name)) is None else str(value).strip() for name in wanted)
        _check_columns(path, list(seen) if stream.columns is None else stream.columns, wanted)


def _check_columns(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in columns:
            listed = ", ".join(map(shown, columns))
            raise UserError(f"{path}: no column {name!r}{nearest(name, columns)}. The columns: {listed}")
