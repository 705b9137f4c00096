"""Cache the scores of an archive's posts on disk, so that repeated posts are scored once."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from babelgrid.runtime.database import one_error

KEYS_AT_ONCE = 500


class SeenPosts:
    """Scores by post key, stored in a file because those of an archive may not fit in memory."""

    def __init__(self, path: Path, groups: int) -> None:
        """Open or create the file; scores of all but the first `groups` groups are deleted.

        Like every method, raises `UserError` if the file is damaged or the disk is full.
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
        """Return the scores [labels] of the keys that are in the cache."""
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
        """Store the scores [labels] of a group's new posts."""
        rows = [(key, values.astype(np.float64).tobytes(), group) for key, values in scores.items()]
        with self._one_error(), self._file:
            self._file.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _one_error(self) -> AbstractContextManager[None]:
        return one_error(self._path, f"Delete the folder {self._path.parent} and run again")
