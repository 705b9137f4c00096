"""Who may publish a job's files: the process that took the job last.

After a network split SLURM starts a job elsewhere while the old process still runs. Each job writes its name into an
owner file when it starts; a process that finds another's there has been succeeded, and publishes nothing more.
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
"""The owner files that this process has written, with what it wrote; the last is that of the job that runs."""


@contextmanager
def own(path: str | Path) -> Iterator[None]:
    """Take over the job whose owner file is `path`, whoever had it; `publishing` checks it while the block lasts."""
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
    """Surround the renaming of a finished file; `UserError` if another process has taken the job over.

    Nobody can take it over within the block, on file systems that share locks. Outside of jobs everything is allowed.
    """
    if not _owned:
        yield
        return
    path, token = _owned[-1]
    try:
        stream = path.open(encoding="utf-8")
    except FileNotFoundError:  # somebody tidied up: that is nobody's claim
        yield
        return
    with stream:
        lock(stream, fcntl.LOCK_SH)
        owner = stream.read()
        if owner != token:
            raise UserError(f"this job has been started again elsewhere ({owner}); what it made here is not published")
        yield


def lock(stream: IO[Any], kind: int) -> None:
    """Wait for a lock on a file; a file system without locks is no reason not to work, and gives none."""
    with suppress(OSError):
        fcntl.flock(stream, kind)


def open_file(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a file that this program alone writes, or make it; return its descriptor, whose content is untouched.

    `UserError` for a link or anything else that is no plain file with this one name: in a folder that others can write
    to, it might lead to a file of the user's that would be overwritten.
    """
    wanted = f"{path}: is a link or no plain file. Move it away and run again"
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
