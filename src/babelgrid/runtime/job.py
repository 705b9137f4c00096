"""Wrap the function that a job calls: its log, its threads and its error messages."""

import faulthandler
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from babelgrid.runtime.failures import describe_error
from babelgrid.runtime.ownership import lock, open_file, own
from babelgrid.runtime.progress import watched
from babelgrid.runtime.stopping import interrupt, stopping

FINISHED = "finished"
"""Last message in the log of a job that succeeded."""
FAILED = "failed"
"""Start of the last message in the log of a job that failed; a job that was killed writes no such message."""


@contextmanager
def job(log_path: str | Path) -> Iterator[None]:
    """Send logging and the libraries' output to the log; on an error, exit with one message and code 1.

    A `UserError`, a full disk and a signal (babelgrid.runtime.stopping) get their own message. Any other error writes
    its traceback to the log, and its type, its location and the path of the log to the terminal.
    The log is locked while the job runs, so that `status` can tell a running job from a killed one.
    """
    log_path = Path(log_path)
    name = _name_of(log_path)
    terminal = os.dup(2)
    stream = None
    try:
        with stopping(interrupt):
            stream = _open_log(log_path)
            with own(log_path.with_suffix(".owner")), watched(terminal, name):
                yield
        logging.info(FINISHED)
    except (Exception, KeyboardInterrupt) as error:
        _tell(error, name, log_path if stream else None, terminal)
        sys.exit(1)
    finally:
        # On a full disk the last lines of the log are lost; that must not hide the job's own error.
        with suppress(OSError):
            sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        if stream:
            _close_log(stream)


def _open_log(path: Path) -> IO[str]:
    """Create the log, lock it, and redirect standard error to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A predecessor that still runs behind a network split keeps its old log file and the lock on it.
    path.unlink(missing_ok=True)
    stream = os.fdopen(open_file(path, os.O_WRONLY), "w", encoding="utf-8", errors="backslashreplace")
    lock(stream, fcntl.LOCK_EX)
    os.dup2(stream.fileno(), 2)
    logging.basicConfig(stream=stream, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    # fontTools logs every step of subsetting a font for a PDF.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    # A crash in a library's compiled code (for example, a bus error on a full disk) also writes its traceback.
    faulthandler.enable(2)
    return stream


def _close_log(stream: IO[str]) -> None:
    """Close the log, which releases its lock."""
    logging.getLogger().handlers.clear()
    with suppress(OSError):
        stream.close()


def _tell(error: BaseException, name: str, log: Path | None, terminal: int) -> None:
    """Report the error that ended a job on the terminal and, after the traceback, in the log if there is one."""
    words, is_traced = describe_error(error)
    if log and is_traced:
        logging.error("the error that ended this job:", exc_info=error)
    if log:
        logging.error("%s", words if is_traced else f"{FAILED}: {words}")
    if is_traced:
        words = f"{name} {words} (see {log})"
    if isinstance(error, BrokenPipeError):
        # Remaining output has no reader either, and would raise again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with suppress(OSError):
        os.write(terminal, f"\nbabelgrid: {words}\n\n".encode("utf-8", "backslashreplace"))


def _name_of(log: Path) -> str:
    """Return the name of a job: `finetune/en/seed0` for the log results/<experiment>/logs/finetune/en/seed0.log."""
    parts = log.with_suffix("").parts
    return "/".join(parts[parts.index("logs") + 1 :] if "logs" in parts else parts[-3:])


def is_running(log_path: str | Path) -> bool:
    """Return whether the job that writes this log is running, on this machine or on one that shares its locks."""
    try:
        with Path(log_path).open(encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def limit_threads(threads: int) -> None:
    """Limit the compute threads of this process, so that parallel jobs do not compete for cores."""
    import torch  # imported here because only jobs that compute need it

    torch.set_num_threads(threads)
