"""Rows as they stand in the data, without judging what is in them: a row that cannot be read is marked."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from babelgrid.posts.rejects import Reason

SURROGATE = re.compile("[\ud800-\udfff]")
BROKEN_TEXT = "\udcff"
"""Stands for bytes that the encoding of the file does not explain."""
MOST_CHARACTERS_OF_A_ROW = 4 * 2**20
"""A longer row is marked as broken, so that one row cannot fill the memory."""
TOO_LONG = f"it is longer than {MOST_CHARACTERS_OF_A_ROW} characters"


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it stands in the data. `line`: where it starts, from 1 (Parquet and datasets: the row's number).

    Bytes that cannot be decoded appear as lone surrogates.
    """

    line: int
    values: Mapping[str, Any] = field(default_factory=dict)
    broken: Reason | None = None
    explanation: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one file, or of one split of a dataset, with what its name says about all of them."""

    name: str
    columns: Sequence[str] | None
    """None for JSONL, in which every line has its own."""
    records: Iterable[Record]
    language: str | None = None
    part: str | None = None


def record_of(line: int, row: list[str], columns: Sequence[str]) -> Record:
    """Return a row of CSV or TSV under the names of its columns."""
    if len(row) != len(columns):
        explanation = f", it has {len(row)} fields and the header has {len(columns)}"
        return Record(line, broken=Reason.BROKEN_RECORD, explanation=explanation)
    return Record(line, dict(zip(columns, row, strict=True)))


def parse_json(number: int, line: str) -> Record:
    """Return the JSON object of a line."""
    if len(line) > MOST_CHARACTERS_OF_A_ROW:
        return Record(number, broken=Reason.BROKEN_RECORD, explanation=f", {TOO_LONG}")
    if not is_unicode(line):
        return Record(number, broken=Reason.BROKEN_ENCODING, explanation=", the line holds bytes that are not UTF-8")
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
        return "an object on the line gives a name twice"
    return "the line is not JSON" if isinstance(error, json.JSONDecodeError) else "it holds a number of too many digits"


def is_unicode(text: str) -> bool:
    """Whether a text holds no lone surrogate, the mark of bytes that could not be decoded."""
    return text.isascii() or not SURROGATE.search(text)
