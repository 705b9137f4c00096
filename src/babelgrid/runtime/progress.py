"""Draw progress bars on the user's terminal, if there is one; a job's own stderr goes to its log."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tqdm import tqdm

_watched: list[tuple[IO[str], str]] = []


@contextmanager
def watched(handle: int, name: str) -> Iterator[None]:
    """Let `progress_bar` draw on a file descriptor within the block, if the descriptor is a terminal.

    name: name of this process's bars.
    """
    if not os.isatty(handle):
        yield
        return
    with os.fdopen(os.dup(handle), "w", encoding="utf-8") as stream:
        _watched.append((stream, name))
        try:
            yield
        finally:
            _watched.pop()


def progress_bar(total: int, done: int, unit: str) -> "tqdm[None]":
    """Return a bar with rate and time left, drawn once a second; without a terminal, the bar draws nothing.

    Parallel jobs share the terminal's last line, each under its name; their logs contain the same progress as lines.
    """
    if not _watched:
        return tqdm(disable=True)
    stream, name = _watched[-1]
    return tqdm(total=total, initial=done, desc=name, unit=unit, file=stream, leave=False, mininterval=1)
