"""What surrounds the one function that a job calls: its log, its threads, and the words for what went wrong."""

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
"""The last word of the log of a job that did all it had to."""
FAILED = "failed"
"""What the last line begins with in the log of a job that ended otherwise; a job that was killed leaves none."""


@contextmanager
def job(log_path: str | Path) -> Iterator[None]:
    """Send logging and the libraries' chatter to the log; on an error end with one message and exit code 1.

    A `UserError`, a full disk and a signal (babelgrid.runtime.stopping) get their own message. Any other error leaves
    its traceback in the log, and on the terminal its type and place and where the log is.
    The log is locked while the job lives, so that `status` can tell a running job from a killed one.
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
        # On a full disk the last words of the log are lost; that must not hide what the job ended with.
        with suppress(OSError):
            sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        if stream:
            _close_log(stream)


def _open_log(path: Path) -> IO[str]:
    """Make the log, lock it, and let it take what goes to standard error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A predecessor that still lives, behind a network split, keeps the log that it has, and its lock.
    path.unlink(missing_ok=True)
    stream = os.fdopen(open_file(path, os.O_WRONLY), "w", encoding="utf-8", errors="backslashreplace")
    lock(stream, fcntl.LOCK_EX)
    os.dup2(stream.fileno(), 2)
    logging.basicConfig(stream=stream, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    # It reports each step of making a font smaller for a PDF.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    # A crash in a library's compiled code (a bus error on a full disk, for one) leaves its traceback as well.
    faulthandler.enable(2)
    return stream


def _close_log(stream: IO[str]) -> None:
    """Let go of the log, and of its lock."""
    logging.getLogger().handlers.clear()
    with suppress(OSError):
        stream.close()


def _tell(error: BaseException, name: str, log: Path | None, terminal: int) -> None:
    """Say what a job ended with: on the terminal, and in the log, if there is one, with the traceback before it."""
    words, is_traced = describe_error(error)
    if log and is_traced:
        logging.error("the error that ended this job:", exc_info=error)
    if log:
        logging.error("%s", words if is_traced else f"{FAILED}: {words}")
    if is_traced:
        words = f"{name} {words} (see {log})"
    if isinstance(error, BrokenPipeError):
        # What is left to print has no reader either, and would be an error again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with suppress(OSError):
        os.write(terminal, f"\nbabelgrid: {words}\n\n".encode("utf-8", "backslashreplace"))


def _name_of(log: Path) -> str:
    """Return what a job is called: `finetune/en/seed0` for the log results/<experiment>/logs/finetune/en/seed0.log."""
    parts = log.with_suffix("").parts
    return "/".join(parts[parts.index("logs") + 1 :] if "logs" in parts else parts[-3:])


def is_running(log_path: str | Path) -> bool:
    """Say whether the job that writes this log is alive, on this machine or on one that shares its locks."""
    try:
        with Path(log_path).open(encoding="utf-8") as stream:
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
