"""What the posts of an archive were scored at, on disk, so that a post that comes again is not scored again."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from babelgrid.runtime.database import one_error

KEYS_AT_ONCE = 500


class SeenPosts:
    """Scores by a post's key. They lie in a file, as those of an archive need not fit in memory."""

    def __init__(self, path: Path, groups: int) -> None:
        """Open the file, or make it; scores of later groups than the first `groups` are forgotten.

        Raises `UserError`, as every method does, where the file is damaged or the disk takes no more.
        """
        self._path = path
        with self._one_error():
            self._file = sqlite3.connect(path)
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, scores BLOB, of_group INT) WITHOUT ROWID"
            )
            self._file.execute("DELETE FROM seen WHERE of_group >= ?", [groups])
            self._file.commit()

    def find(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Return the scores [labels] of those keys that have been seen."""
        wanted = list(keys)
        found: dict[bytes, np.ndarray] = {}
        for start in range(0, len(wanted), KEYS_AT_ONCE):
            some = wanted[start : start + KEYS_AT_ONCE]
            marks = ",".join("?" * len(some))
            with self._one_error():
                rows = self._file.execute(f"SELECT key, scores FROM seen WHERE key IN ({marks})", some)  # noqa: S608
                found |= {key: np.frombuffer(scores) for key, scores in rows}
        return found

    def add(self, scores: Mapping[bytes, np.ndarray], group: int) -> None:
        """Keep the scores [labels] of a group's new posts."""
        rows = [(key, values.astype(np.float64).tobytes(), group) for key, values in scores.items()]
        with self._one_error(), self._file:
            self._file.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _one_error(self) -> AbstractContextManager[None]:
        return one_error(self._path, f"Delete the folder {self._path.parent} and run again")
