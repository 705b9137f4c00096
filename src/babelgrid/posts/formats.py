"""Represent the rows of the data before they are interpreted, with unreadable rows marked."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from babelgrid.posts.rejects import Reason

SURROGATE = re.compile("[\ud800-\udfff]")
BROKEN_TEXT = "\udcff"
"""Replaces bytes that cannot be decoded in the encoding of the file."""
MAX_CHARACTERS_OF_A_ROW = 4 * 2**20
"""A longer row is marked as broken, so that a single row cannot fill the memory."""
TOO_LONG = f"it is longer than {MAX_CHARACTERS_OF_A_ROW} characters"


@dataclass(frozen=True, slots=True)
class Record:
    """One raw row of the data. `line`: the line on which it starts, from 1 (Parquet and datasets: the row number).

    Bytes that cannot be decoded appear as lone surrogates.
    """

    line: int
    values: Mapping[str, Any] = field(default_factory=dict)
    broken: Reason | None = None
    explanation: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one file or of one split of a dataset, with the language and part given by its name."""

    name: str
    columns: Sequence[str] | None
    """None for JSONL, in which each line has its own column names."""
    records: Iterable[Record]
    language: str | None = None
    part: str | None = None


def record_of(line: int, row: list[str], columns: Sequence[str]) -> Record:
    """Return a row of CSV or TSV as a record with the given column names."""
    if len(row) != len(columns):
        explanation = f", it has {len(row)} fields and the header has {len(columns)}"
        return Record(line, broken=Reason.BROKEN_RECORD, explanation=explanation)
    return Record(line, dict(zip(columns, row, strict=True)))


def parse_json(number: int, line: str) -> Record:
    """Return the JSON object on a line as a record."""
    if len(line) > MAX_CHARACTERS_OF_A_ROW:
        return Record(number, broken=Reason.BROKEN_RECORD, explanation=f", {TOO_LONG}")
    if not is_unicode(line):
        return Record(number, broken=Reason.BROKEN_ENCODING, explanation=", the line contains bytes that are not UTF-8")
    try:
        content = json.loads(line, object_pairs_hook=_unique_names)
    except (ValueError, RecursionError) as error:
        return Record(number, broken=Reason.BROKEN_RECORD, explanation=f", {_json_fault(error)}")
    if not isinstance(content, dict):
        explanation = f", expected one JSON object, found {type(content).__name__}"
        return Record(number, broken=Reason.BROKEN_RECORD, explanation=explanation)
    return Record(number, content)


class _RepeatedNameError(ValueError):
    pass


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise _RepeatedNameError
    return content


def _json_fault(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, _RepeatedNameError):
        return "an object on the line has a duplicate name"
    return "the line is not JSON" if isinstance(error, json.JSONDecodeError) else "it has a number with too many digits"


def is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogate, which marks bytes that could not be decoded."""
    return text.isascii() or not SURROGATE.search(text)
