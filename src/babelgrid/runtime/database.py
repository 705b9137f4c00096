"""Report any failure of a SQLite file as one error that names the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babelgrid.errors import UserError
from babelgrid.runtime.failures import refusal

IN_USE = ("SQLITE_BUSY", "SQLITE_LOCKED")
MOVED = "SQLITE_READONLY_DBMOVED"
UNREACHABLE = ("SQLITE_IOERR", "SQLITE_CANTOPEN")


@contextmanager
def one_error(path: Path, advice: str) -> Iterator[None]:
    """Turn errors of SQLite and of the disk within the block into one `UserError`.

    advice: what to do if the file is damaged.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        words = _describe_error(error, path, advice)
        if words is None:
            raise
        raise UserError(words) from error


def _describe_error(error: sqlite3.Error | OSError, path: Path, advice: str) -> str | None:
    name = getattr(error, "sqlite_errorname", "")
    if name == MOVED:
        return f"{path}: was moved or deleted while it was in use. {advice}"
    if words := refusal(error, path):
        return words
    if isinstance(error, OSError):
        return None
    if name.startswith(IN_USE):
        return f"{path}: is in use by another process. Wait until that process has ended, then run again"
    if name.startswith(UNREACHABLE):
        return f"{path}: cannot be read or written ({error}). Check the disk and your permissions, then run again"
    return f"{path}: is damaged ({error}). {advice}"
