"""Ensure that only the process that started a job last may publish the job's files.

After a network split, SLURM starts a job elsewhere while the old process still runs. Each job writes its identity into
an owner file when it starts; a process that finds another identity there has been replaced, and publishes nothing more.
"""

import fcntl
import json
import os
import platform
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from babelgrid.errors import UserError

_owned: list[tuple[Path, str]] = []
"""Owner files that this process has written, with their content; the last entry belongs to the running job."""


@contextmanager
def own(path: str | Path) -> Iterator[None]:
    """Take over the job whose owner file is `path` from any earlier owner; within the block, `publishing` checks it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = {"host": platform.node(), "pid": os.getpid(), "slurm_job": os.environ.get("SLURM_JOB_ID")}
    token = json.dumps({**name, "id": uuid.uuid4().hex})
    with os.fdopen(open_file(path, os.O_RDWR), "r+", encoding="utf-8") as stream:
        lock(stream, fcntl.LOCK_EX)
        stream.truncate(0)
        stream.write(token)
        stream.flush()
        os.fsync(stream.fileno())
    _owned.append((path, token))
    try:
        yield
    finally:
        _owned.pop()


@contextmanager
def publishing() -> Iterator[None]:
    """Guard the renaming of a finished file; raise `UserError` if another process has taken over the job.

    On file systems with shared locks, no process can take over the job within the block. Outside of jobs there is no
    check.
    """
    if not _owned:
        yield
        return
    path, token = _owned[-1]
    try:
        stream = path.open(encoding="utf-8")
    except FileNotFoundError:  # the owner file was deleted, so no other process claims the job
        yield
        return
    with stream:
        lock(stream, fcntl.LOCK_SH)
        owner = stream.read()
        if owner != token:
            raise UserError(f"this job has been started again elsewhere ({owner}); its results here are not published")
        yield


def check_owner() -> None:
    """Raise `UserError` if another process has taken over the running job."""
    with publishing():
        pass


def lock(stream: IO[Any], kind: int) -> None:
    """Wait for a lock on a file; on a file system without lock support, continue unlocked."""
    with suppress(OSError):
        fcntl.flock(stream, kind)


def open_file(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open or create a file that only this program writes, and return its descriptor; the content is not changed.

    Raises `UserError` unless it is a regular file without links: in a folder that others can write to, a link could
    lead to one of the user's files, which would then be overwritten.
    """
    wanted = f"{path}: is a link or not a regular file. Move it away and run again"
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, mode)
    except OSError as error:
        if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
            raise UserError(wanted) from error
        raise
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise UserError(wanted)
