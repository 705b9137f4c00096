"""What was answered and what it cost, on disk: no call is made twice, and none that might pass the budget."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from babelgrid.errors import UserError


@dataclass(frozen=True)
class Answer:
    """An answer as it is kept: no word of the post, and none of what was said, only what it meant."""

    label: str | None
    """None: no label was said."""
    logp: list[float]
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    dollars: float


class OverBudgetError(Exception):
    """A call might pass the budget."""


class Ledger:
    """Answers by the content of the question, and the dollars of every call: shared by all jobs of an experiment."""

    def __init__(self, path: Path, budget: float) -> None:
        """Open the file, or make it. budget: dollars of all calls that are in it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._budget = budget
        try:
            self._file = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._file.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT)")
            self._file.execute("CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY, dollars REAL)")
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path}: is damaged ({error}). Delete it, and every question is asked again") from error

    def find(self, key: str) -> Answer | None:
        """Return the answer to a question that has been asked."""
        row = self._file.execute("SELECT answer FROM answers WHERE key = ?", [key]).fetchone()
        return None if row is None else Answer(**json.loads(row[0]))

    def reserve(self, dollars: float) -> int:
        """Put aside what a call may cost at most, and return the call's number; `OverBudgetError` if it is not there.

        What a killed job had put aside stays so: the endpoint may have charged it.
        """
        self._file.execute("BEGIN IMMEDIATE")
        try:
            if self.spent() + dollars > self._budget:
                raise OverBudgetError
            return int(self._file.execute("INSERT INTO calls (dollars) VALUES (?)", [dollars]).lastrowid or 0)
        finally:
            self._file.execute("COMMIT")

    def settle(self, number: int, dollars: float) -> None:
        """Write what a call did cost in place of what was put aside."""
        self._file.execute("UPDATE calls SET dollars = ? WHERE number = ?", [dollars, number])

    def keep(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", [key, json.dumps(asdict(answer))])

    def spent(self) -> float:
        """Return the dollars of all calls, of those under way at most."""
        return float(self._file.execute("SELECT total(dollars) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def question_key(messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a question and of all that its answer depends on."""
    content = json.dumps([list(map(dict, messages)), dict(parameters)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()
