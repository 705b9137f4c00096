"""Describe rows that cannot be used: the reason, the location, and the error for the first of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from babelgrid.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


class Reason(StrEnum):
    """Why a row is dropped. The first eight are mistakes in the data (`posts.on_error`), the others are copies."""

    BROKEN_ENCODING = "broken encoding"
    BROKEN_RECORD = "broken record"
    EMPTY_TEXT = "empty text"
    EMPTY_ID = "empty id"
    DUPLICATE_ID = "duplicate id"
    UNKNOWN_LABEL = "unknown label"
    UNKNOWN_LANGUAGE = "unknown language"
    UNKNOWN_PART = "unknown part"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near-duplicate"
    COPY_OF_TEST = "leak: copy of a test post"
    NEAR_COPY_OF_TEST = "leak: near-copy of a test post"
    SOURCE_OF_TEST = "leak: same source as a test post"
    COPY_OF_DEV = "leak: copy of a dev post"
    NEAR_COPY_OF_DEV = "leak: near-copy of a dev post"
    SOURCE_OF_DEV = "leak: same source as a dev post"

    @property
    def is_leak(self) -> bool:
        """Whether the row was in train (or dev) and its twin in test (or dev)."""
        return self.value.startswith("leak")


TEXT_FILES = tuple(kind + packed for kind in (".csv", ".tsv", ".jsonl", ".ndjson") for packed in ("", ".gz", ".zst"))
EXACT_COPIES = (Reason.DUPLICATE, Reason.COPY_OF_TEST, Reason.COPY_OF_DEV)


@dataclass(frozen=True, slots=True)
class Drop:
    """One dropped row. `label` and `split` are None if reading stopped before them."""

    file: str
    line: int
    reason: Reason
    id: str | None = None
    language: str | None = None
    split: str | None = None
    label: str | None = None
    twin_id: str | None = None
    """The id of the post that was kept instead."""
    explanation: str = ""
    """The value found and the allowed values; for the error message, not for the table."""


COLUMNS = ["file", "line", "id", "language", "split", "label", "reason", "twin_id"]


def drops_table(drops: Sequence[Drop]) -> "pd.DataFrame":
    """Return a table with one row per drop, in the given order, without the texts of posts."""
    import pandas as pd  # not needed to build the grid

    return pd.DataFrame({name: [getattr(drop, name) for drop in drops] for name in COLUMNS})


def stop_at_first(drops: Sequence[Drop]) -> None:
    """Raise a `UserError` that explains the first drop and counts the others; do nothing if `drops` is empty."""
    if not drops:
        return
    first = drops[0]
    others = f" ({len(drops) - 1} more rows have mistakes.)" if len(drops) > 1 else ""
    raise UserError(
        f"{located(first.file, first.line)}: {first.reason}{first.explanation}. "
        f"Correct it, or set posts.on_error to drop to skip and count rows with mistakes.{others}"
    )


def located(file: str, line: int) -> str:
    """Return the location of a row: the line in a text file, or the row number in Parquet or a dataset."""
    unit = "line" if file.lower().endswith(TEXT_FILES) else "row"
    return f"{file}, {unit} {line}"


def shown(value: str) -> str:
    """Return a value for a message: in full if short, otherwise only its length, because it may be a post."""
    return repr(value) if len(value) <= 40 else f"a value of {len(value)} characters"
