"""Describe an unexpected error: what happened, where, and what to do about it."""

import errno
import os
import re
import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path

from babelgrid.errors import UserError

# Errors that only the user of the machine can fix; the code is not at fault.
DISK = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "give yourself permission to read and write it",
    errno.EPERM: "give yourself permission to read and write it",
}
OTHER_FILES = {
    errno.ENOENT: "restore what was moved or deleted",
    errno.ENOTDIR: "move away the file at this path; a folder is needed here",
    errno.EISDIR: "move away the folder at this path; a file is needed here",
    errno.ENAMETOOLONG: "use shorter names",
    errno.ELOOP: "replace the link with a file or folder of your own",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the limit on open files",
    errno.EIO: "check the disk or the file server",
    errno.ESTALE: "check the file server",
    errno.EPIPE: "check why the program at the other end has ended",
}
MEMORY = (
    "there is not enough memory: request more (mem_mb), or lower finetune.micro_batch_size, predict.tokens_per_batch "
    "or classify.rows_per_group, and run again"
)
# The first matching entry is used.
KNOWN: tuple[tuple[type[BaseException], str], ...] = (
    (MemoryError, MEMORY),
    (RecursionError, "a value in the config, the data or the base's files is nested too deeply to be read"),
    (OverflowError, "a number in the config or the data is too large to compute with"),
    (UnicodeDecodeError, "a file is not UTF-8; save it as UTF-8 and run again"),
    (UnicodeEncodeError, "a text contains half of a character (a lone surrogate), which cannot be written to a file"),
)
SQLITE = {"SQLITE_FULL": errno.ENOSPC, "SQLITE_READONLY": errno.EACCES, "SQLITE_PERM": errno.EACCES}
# Messages of libraries (Rust libraries, for example) in which a system error has lost its number or its type.
_NUMBER = re.compile(r"\((?:os error) (\d+)\)|\[errno (\d+)\]", re.IGNORECASE)
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory", re.IGNORECASE)


def stopped(error: KeyboardInterrupt) -> str:
    """Return the message for a job that was asked to stop."""
    name = error.args[0] if error.args else "SIGINT"
    return f"stopped by {name}. Finished work is kept: run again to continue"


def refusal(error: BaseException, filename: object = None) -> str | None:
    """Return the message for a disk that rejects writes, however a library reports it; None for any other error.

    filename: the file that was written, used if the error itself does not name it.
    """
    for one in _with_causes(error):
        number = _number(one)
        if number in DISK:
            return of_system(number, filename or getattr(one, "filename", None))
    return None


def of_system(number: int, filename: object = None) -> str:
    """Return the message for a system error by its number (errno), with what to do about it."""
    where = f"{os.fsdecode(filename)}: " if isinstance(filename, str | bytes | os.PathLike) else ""
    advice = (DISK | OTHER_FILES)[number]
    return f"{where}{os.strerror(number)}. Finished files are kept, no partial files were left: {advice}, and run again"


def unforeseen(error: BaseException) -> str:
    """Return the type and location of an error and, for a known kind, what to do.

    The error's message may contain data, so it appears only in the traceback.
    """
    place = f"{type(error).__name__} at {_place(error)}"
    advice = _advice(error)
    return f"failed: {advice} ({place})" if advice else f"failed unexpectedly: {place}"


def _advice(error: BaseException) -> str | None:
    number = _number(error)
    if number in OTHER_FILES:
        return of_system(number, getattr(error, "filename", None))
    if isinstance(error, sqlite3.Error):
        return f"a database cannot be used ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    # torch's error is matched by name, because most jobs never load torch.
    if type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))
    ):
        return MEMORY
    return next((words for kind, words in KNOWN if isinstance(error, kind)), None)


def _number(error: BaseException) -> int | None:
    """Return the system's number (errno) of an error, or the number in the message of a library that hides it."""
    if isinstance(error, sqlite3.Error):
        # Drop the suffix of extended codes, as in SQLITE_READONLY_DBMOVED.
        return SQLITE.get("_".join(getattr(error, "sqlite_errorname", "").split("_")[:2]))
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    words = str(error)
    if found := _NUMBER.search(words):
        return int(found[1] or found[2])
    return errno.ENOSPC if os.strerror(errno.ENOSPC) in words else None


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _place(error: BaseException) -> str:
    """Return the file and line of the last babelgrid function in an error's traceback."""
    package = Path(__file__).parents[1]
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    # The first frame is the job wrapper itself, which surrounds everything.
    ours = [(path.relative_to(package.parent), line) for path, line in frames[1:] if path.is_relative_to(package)]
    path, line = (ours or [(Path(path.name), line) for path, line in frames])[-1]
    return f"{path}:{line}"


def describe_error(error: BaseException) -> tuple[str, bool]:
    """Return the message for an error that ends a job, and whether its traceback belongs in the log."""
    if isinstance(error, UserError):
        return str(error), False
    if isinstance(error, KeyboardInterrupt):
        return stopped(error), False
    if words := refusal(error):
        return words, False
    return unforeseen(error), True
