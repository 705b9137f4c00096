"""What surrounds the one function that a job calls: its log, its threads, and the words for a user's mistake."""

import errno
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babelgrid.errors import UserError
from babelgrid.fence import lock, own
from babelgrid.terminal import watched

# What a file system answers that takes no more: of these a user can mend all.
REFUSALS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable for you",
}
FINISHED = "finished"
"""The last word of the log of a job that did all it had to."""


@contextmanager
def job(log_path: str | Path) -> Iterator[None]:
    """Send logging and the libraries' chatter to the log; on a `UserError` end with one message and exit code 1.

    The log is locked while the job lives, so that `status` can tell a running job from a killed one.
    """
    log_path = Path(log_path)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    # A predecessor that still lives, behind a network split, keeps the log that it has, and its lock.
    log_path.unlink(missing_ok=True)
    with log_path.open("w", encoding="utf-8") as stream:
        lock(stream, fcntl.LOCK_EX)
        os.dup2(stream.fileno(), 2)
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
        try:
            name = "/".join(log_path.with_suffix("").parts[-3:])
            with own(log_path.with_suffix(".owner")), watched(terminal, name):
                yield
            logging.info(FINISHED)
        except (UserError, OSError) as error:
            words = str(error) if isinstance(error, UserError) else _refusal(error)
            if words is None:
                raise
            logging.error("%s", words)  # noqa: TRY400 (a user's mistake needs no traceback)
            os.write(terminal, f"\nbabelgrid: {words}\n\n".encode())
            sys.exit(1)
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)


def _refusal(error: OSError) -> str | None:
    """Return what to do about a file system that takes no more, or None for any other error."""
    advice = REFUSALS.get(error.errno or 0)
    if advice is None:
        return None
    where = error.filename or "the results folder"
    return f"{where}: {error.strerror or error}. What is whole stays, nothing half-written: {advice}, and run again"


def is_running(log_path: str | Path) -> bool:
    """Say whether the job that writes this log is alive, on this machine or on one that shares its locks."""
    with Path(log_path).open(encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def limit_threads(threads: int) -> None:
    """Let this process compute with so many threads and no more, so that jobs side by side do not fight for cores."""
    import torch  # only jobs that compute pay for it

    torch.set_num_threads(threads)
