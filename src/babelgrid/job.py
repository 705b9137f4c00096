"""What surrounds the one function that a job calls: its log, its threads, and the words for a user's mistake."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babelgrid.errors import UserError


@contextmanager
def job(log_path: str | Path) -> Iterator[None]:
    """Send logging and the libraries' chatter to the log; on a `UserError` end with one message and exit code 1."""
    log_path = Path(log_path)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    with log_path.open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 2)
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
        try:
            yield
        except UserError as error:
            logging.error("%s", error)  # noqa: TRY400 (a user's mistake needs no traceback)
            os.write(terminal, f"\nbabelgrid: {error}\n\n".encode())
            sys.exit(1)
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)


def limit_threads(threads: int) -> None:
    """Let this process compute with so many threads and no more, so that jobs side by side do not fight for cores."""
    import torch  # only jobs that compute pay for it

    torch.set_num_threads(threads)
