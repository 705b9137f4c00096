"""The terminal that a person watches, if there is one: a job's own stderr goes to its log."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tqdm import tqdm

_watched: list[tuple[IO[str], str]] = []


@contextmanager
def watched(handle: int, name: str) -> Iterator[None]:
    """Let `progress_bar` draw on the terminal behind a file descriptor while the block lasts, if it is one.

    name: what the bars of this process are called.
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
    """Return a bar with rate and time left, drawn once a second; where nobody watches, one that draws nothing.

    Jobs side by side share the terminal's last line, each under its name; their logs hold all of it in lines.
    """
    if not _watched:
        return tqdm(disable=True)
    stream, name = _watched[-1]
    return tqdm(total=total, initial=done, desc=name, unit=unit, file=stream, leave=False, mininterval=1)
