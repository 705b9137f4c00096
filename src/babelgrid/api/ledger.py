"""What was answered and what it cost, on disk: no call is made twice, and none that might pass the budget."""

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


@dataclass(frozen=True)
class Count:
    """How far a ledger has come: none of it ever gets less."""

    ledger: str
    """An id that no other ledger has."""
    calls: int
    settled: float
    """Dollars of the calls whose price is known, which no later entry takes back."""


class Ledger:
    """Answers by the content of the question, and the dollars of every call: shared by all jobs of an experiment.

    A small file beside it (`.json` in place of `.sqlite`) counts the calls too, so that a ledger that was emptied, cut,
    deleted, replaced or put back from an old copy is noticed, and the budget never begins again without a word.
    """

    def __init__(self, path: Path, budget: float) -> None:
        """Open the file, or make it. budget: dollars of all calls that are in it.

        Raises `UserError`, as every method does, where the file is damaged or the disk takes no more; and where it
        holds less than was counted, or nothing although answers were paid for.
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
        """Return the answer to a question that has been asked."""
        with self._one_error():
            row = self._file.execute("SELECT answer FROM answers WHERE key = ?", [key]).fetchone()
        try:
            return None if row is None else Answer(**json.loads(row[0]))
        except (TypeError, ValueError) as error:
            raise UserError(f"{self._path}: is damaged (an answer cannot be read). {self._advice}") from error

    def reserve(self, dollars: float) -> int:
        """Put aside what a call may cost at most, and return the call's number; `OverBudgetError` if it is not there.

        What a killed job had put aside stays so: the endpoint may have charged it.
        """
        with self._transaction():
            # Asked in this way, what is no number is over the budget too.
            if not (dollars >= 0 and self.spent() + dollars <= self._budget):
                raise OverBudgetError
            number = int(self._file.execute("INSERT INTO calls (dollars) VALUES (?)", [dollars]).lastrowid or 0)
        self._count()
        return number

    def settle(self, number: int, dollars: float) -> None:
        """Write what a call did cost in place of what was put aside; what is no number leaves that as it is."""
        if not 0 <= dollars < math.inf:
            return
        with self._transaction():
            self._file.execute("UPDATE calls SET dollars = ? WHERE number = ?", [dollars, number])
            self._file.execute("UPDATE count SET settled = settled + ?", [dollars])

    def keep(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        with self._one_error():
            self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", [key, json.dumps(asdict(answer))])

    def spent(self) -> float:
        """Return the dollars of all calls, of those under way at most."""
        with self._one_error():
            return float(self._file.execute("SELECT total(dollars) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def _advice(self) -> str:
        return (
            "What was spent is not known any more, so the budget cannot be kept. Put the file back from a copy; or, to "
            f"begin with the whole budget and ask every question again, delete the folder {self._path.parent}"
        )

    def _one_error(self) -> AbstractContextManager[None]:
        return one_error(self._path, self._advice)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Let no other process write within the block, and take back what it wrote if it fails."""
        with self._one_error():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._file.execute("COMMIT")
            finally:
                if self._file.in_transaction:
                    with suppress(sqlite3.Error):  # the first error is the one to tell
                        self._file.execute("ROLLBACK")

    def _make_tables(self) -> None:
        self._file.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT)")
        self._file.execute("CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY, dollars REAL)")
        self._file.execute("CREATE TABLE IF NOT EXISTS count (ledger TEXT, settled REAL)")
        new = "INSERT INTO count SELECT ?, 0.0 WHERE NOT EXISTS (SELECT * FROM count)"
        self._file.execute(new, [uuid.uuid4().hex])

    def _count(self) -> None:
        """Write beside the ledger how far it has come: between two locks, so that a later count is never replaced."""
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
            return "is damaged (calls are missing, or their dollars are no numbers)"
        counted = self._read_count()
        if counted and calls < counted.calls:
            return f"holds {calls} calls, and {counted.calls} were made: it was emptied, cut, deleted or is an old copy"
        if not calls:
            is_lost = _was_answered(self._path.parent)
            return (
                "holds no call, although files beside it tell of answers: it was emptied or deleted"
                if is_lost
                else None
            )
        return self._is_another(counted, self._found() if "count" in tables else None)

    def _is_another(self, counted: Count | None, found: Count | None) -> str | None:
        """Return in what a ledger with calls contradicts its count, if it does. A ledger of old has no count inside."""
        if counted and counted.calls and (found is None or found.ledger != counted.ledger):
            return "is not the ledger that this experiment was begun with"
        least = max((one.settled for one in (counted, found) if one), default=0.0)
        is_less = self.spent() < least * (1 - 1e-9) - 1e-9
        return f"says that less than the {least:.4f} dollars of its calls were spent" if is_less else None

    def _calls_that_hold(self) -> int | None:
        """Return how many calls there are; None if some between are missing or have no dollars."""
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
                f"{self._counted}: cannot be read. It counts the calls in {self._path.name}: if you know that that "
                "file is whole, delete this one and run again"
            ) from error


def _was_answered(folder: Path) -> bool:
    """Say whether a file of a row (babelgrid.api.row) below the ledger's folder tells of answers."""
    for path in folder.glob("*/*.json"):
        with suppress(UserError):
            content = read_json(path)
            if isinstance(content, dict) and content.get("posts") and "dollars" in content:
                return True
    return False


def question_key(messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a question and of all that its answer depends on."""
    content = json.dumps([list(map(dict, messages)), dict(parameters)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()
