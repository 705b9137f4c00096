"""Keep answers and their costs on disk, so that no call is made twice and no call can exceed the budget."""

import hashlib
import json
import math
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from babelgrid.errors import UserError
from babelgrid.runtime.database import one_error
from babelgrid.runtime.files import read_json, write_json


@dataclass(frozen=True)
class Answer:
    """An answer as it is stored: only its meaning, without the text of the post or of the reply."""

    label: str | None
    """None: the reply named no label."""
    logp: list[float]
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    dollars: float


class OverBudgetError(Exception):
    """A call might exceed the budget."""


@dataclass(frozen=True)
class Count:
    """State of a ledger; its numbers never decrease."""

    ledger: str
    """Unique id of the ledger."""
    calls: int
    settled: float
    """Dollars of the calls with a known cost; later entries never reduce it."""


class Ledger:
    """Answers by the content of the question, and the dollars of every call, shared by all jobs of an experiment.

    A small file beside it (`.json` instead of `.sqlite`) also counts the calls. It reveals a ledger that was emptied,
    truncated, deleted, replaced or restored from an old copy, so the budget never starts over silently.
    """

    def __init__(self, path: Path, budget: float) -> None:
        """Open or create the file. budget: maximum dollars of all calls in it.

        Raises `UserError`, as every method does, if the file is damaged or the disk is full. Also raises it if the file
        has fewer calls than were counted, or no calls although answers were paid for.
        """
        self._path, self._counted, self._budget = path, path.with_suffix(".json"), budget
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._one_error():
            self._file = sqlite3.connect(path, timeout=60, isolation_level=None)
            with self._transaction():
                wrong = self._what_is_wrong()
                if wrong:
                    raise UserError(f"{path}: {wrong}. {self._advice}")
                self._make_tables()
        self._count()

    def find(self, key: str) -> Answer | None:
        """Return the stored answer to a question, or None if it has not been answered."""
        with self._one_error():
            row = self._file.execute("SELECT answer FROM answers WHERE key = ?", [key]).fetchone()
        try:
            return None if row is None else Answer(**json.loads(row[0]))
        except (TypeError, ValueError) as error:
            raise UserError(f"{self._path}: is damaged (an answer cannot be read). {self._advice}") from error

    def reserve(self, dollars: float) -> int:
        """Reserve the maximum cost of a call and return the call's number; `OverBudgetError` if the budget is too low.

        Reservations of a killed job remain, because the endpoint may have charged them.
        """
        with self._transaction():
            # Written so that NaN counts as over the budget.
            if not (dollars >= 0 and self.spent() + dollars <= self._budget):
                raise OverBudgetError
            number = int(self._file.execute("INSERT INTO calls (dollars) VALUES (?)", [dollars]).lastrowid or 0)
        self._count()
        return number

    def settle(self, number: int, dollars: float) -> None:
        """Replace a reservation with the actual cost of the call; an invalid amount leaves the reservation."""
        if not 0 <= dollars < math.inf:
            return
        with self._transaction():
            self._file.execute("UPDATE calls SET dollars = ? WHERE number = ?", [dollars, number])
            self._file.execute("UPDATE count SET settled = settled + ?", [dollars])

    def keep(self, key: str, answer: Answer) -> None:
        """Store an answer."""
        with self._one_error():
            self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", [key, json.dumps(asdict(answer))])

    def spent(self) -> float:
        """Return the dollars of all calls; calls in progress count with their maximum."""
        with self._one_error():
            return float(self._file.execute("SELECT total(dollars) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def _advice(self) -> str:
        return (
            "The amount spent is no longer known, so the budget cannot be kept. Restore the file from a copy; or, to "
            f"start with the full budget and repeat every call, delete the folder {self._path.parent}"
        )

    def _one_error(self) -> AbstractContextManager[None]:
        return one_error(self._path, self._advice)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run the block as an exclusive transaction, which is rolled back if the block fails."""
        with self._one_error():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._file.execute("COMMIT")
            finally:
                if self._file.in_transaction:
                    with suppress(sqlite3.Error):  # the first error is the one to report
                        self._file.execute("ROLLBACK")

    def _make_tables(self) -> None:
        self._file.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT)")
        self._file.execute("CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY, dollars REAL)")
        self._file.execute("CREATE TABLE IF NOT EXISTS count (ledger TEXT, settled REAL)")
        new = "INSERT INTO count SELECT ?, 0.0 WHERE NOT EXISTS (SELECT * FROM count)"
        self._file.execute(new, [uuid.uuid4().hex])

    def _count(self) -> None:
        """Write the ledger's state to the file beside it; under the lock, so that it never replaces a later state."""
        with self._transaction():
            write_json(self._counted, asdict(self._found()))

    def _found(self) -> Count:
        calls = self._file.execute("SELECT max(number) FROM calls").fetchone()[0] or 0
        ledger, settled = self._file.execute("SELECT ledger, settled FROM count").fetchone()
        return Count(ledger, calls, settled)

    def _what_is_wrong(self) -> str | None:
        """Return why the budget cannot be kept with this ledger, or None if it can."""
        [check] = self._file.execute("PRAGMA quick_check(1)").fetchone()
        if check != "ok":
            return f"is damaged ({check})"
        tables = {name for (name,) in self._file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        calls = self._calls_that_hold() if "calls" in tables else 0
        if calls is None:
            return "is damaged (calls are missing, or their dollars are not numbers)"
        counted = self._read_count()
        if counted and calls < counted.calls:
            return f"has {calls} of {counted.calls} calls: it was emptied, truncated or deleted, or is an old copy"
        if not calls:
            is_lost = _was_answered(self._path.parent)
            return "has no calls, but files beside it contain answers: it was emptied or deleted" if is_lost else None
        return self._is_another(counted, self._found() if "count" in tables else None)

    def _is_another(self, counted: Count | None, found: Count | None) -> str | None:
        """Return how a ledger with calls contradicts its count, or None. Ledgers of old versions contain no count."""
        if counted and counted.calls and (found is None or found.ledger != counted.ledger):
            return "is not the ledger that this experiment started with"
        least = max((one.settled for one in (counted, found) if one), default=0.0)
        is_less = self.spent() < least * (1 - 1e-9) - 1e-9
        return f"records less than the {least:.4f} dollars that its calls have cost" if is_less else None

    def _calls_that_hold(self) -> int | None:
        """Return the number of calls, or None if some are missing in between or have no dollars."""
        query = "SELECT count(*), coalesce(max(number), 0), count(CASE WHEN dollars >= 0 THEN 1 END) FROM calls"
        calls, last, priced = self._file.execute(query).fetchone()
        return int(calls) if calls == last == priced else None

    def _read_count(self) -> Count | None:
        if not self._counted.exists():
            return None
        try:
            return Count(**read_json(self._counted))
        except (TypeError, UserError) as error:
            raise UserError(
                f"{self._counted}: cannot be read. It counts the calls in {self._path.name}: if you are sure that "
                f"{self._path.name} is complete, delete this file and run again"
            ) from error


def _was_answered(folder: Path) -> bool:
    """Return whether a row's file (babelgrid.api.row) below the ledger's folder reports answers."""
    for path in folder.glob("*/*.json"):
        with suppress(UserError):
            content = read_json(path)
            if isinstance(content, dict) and content.get("posts") and "dollars" in content:
                return True
    return False


def question_key(messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a question and of everything that its answer depends on."""
    content = json.dumps([list(map(dict, messages)), dict(parameters)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()
