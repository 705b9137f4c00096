"""Reading CSV, TSV, JSONL and Parquet, without judging what is in them: a row that cannot be read is marked."""

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from babelgrid.errors import UserError
from babelgrid.posts.drops import Reason

SURROGATE = re.compile("[\ud800-\udfff]")
BROKEN_TEXT = "\udcff"
"""Stands for a value that holds bytes that are not UTF-8."""

# A text may be longer than the 128 KiB that Python's reader allows a field.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Record:
    """One row as it stands in the data. `line`: where it starts, from 1 (Parquet and datasets: the row's number).

    Bytes that are not UTF-8 come as lone surrogates (PEP 383).
    """

    line: int
    values: Mapping[str, Any] = field(default_factory=dict)
    broken: Reason | None = None
    explanation: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one file, or of one split of a dataset, with what its name says about all of them."""

    name: str
    columns: Sequence[str]
    records: Sequence[Record]
    language: str | None = None
    part: str | None = None


def read_file(path: Path, wanted: Collection[str]) -> tuple[Sequence[str], Sequence[Record]]:
    """Return the names of a file's columns and its rows (of Parquet, only the `wanted` columns)."""
    try:
        reader = READERS[path.suffix.lower()]
    except KeyError:
        raise UserError(f"posts.files: {path}: the name must end in one of {', '.join(READERS)}") from None
    try:
        return reader(path, wanted)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _read_csv(path: Path, _: Collection[str]) -> tuple[Sequence[str], Sequence[Record]]:
    reader = csv.reader(io.StringIO(_decode(path), newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for row in reader:
            rows.append((start, row))
            start = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{path}, line {start}: the record that starts here breaks the rules of CSV ({error}). "
            f"Put a text with quotes in quotes, and double the quotes inside"
        ) from error
    return _with_header(rows)


def _read_tsv(path: Path, _: Collection[str]) -> tuple[Sequence[str], Sequence[Record]]:
    """Read a TSV, one record a line.

    Some writers of TSV quote a field as in CSV, others never do and leave bare quotes. A line that follows CSV's rules
    strictly is read by them, any other as it stands.
    """
    lines = _decode(path).split("\n")
    return _with_header([(number, split_tabs(line.rstrip("\r"))) for number, line in enumerate(lines, start=1)])


def split_tabs(line: str) -> list[str]:
    """Return the fields of a line of TSV, quoted or not."""
    try:
        return next(csv.reader([line], delimiter="\t", strict=True), [])
    except csv.Error:
        return line.split("\t")


def _with_header(rows: list[tuple[int, list[str]]]) -> tuple[Sequence[str], Sequence[Record]]:
    filled = [(line, row) for line, row in rows if row]
    if not filled:
        return [], []
    columns = [name.strip() for name in filled[0][1]]
    return columns, [record_of(line, row, columns) for line, row in filled[1:]]


def record_of(line: int, row: list[str], columns: list[str]) -> Record:
    """Return a row of CSV or TSV under the names of its columns."""
    if len(row) != len(columns):
        explanation = f", it has {len(row)} fields and the header has {len(columns)}"
        return Record(line, broken=Reason.BROKEN_RECORD, explanation=explanation)
    return Record(line, dict(zip(columns, row, strict=True)))


def _read_jsonl(path: Path, _: Collection[str]) -> tuple[Sequence[str], Sequence[Record]]:
    lines = enumerate(_decode(path).split("\n"), start=1)
    records = [parse_json(number, line) for number, line in lines if line.strip()]
    columns = dict.fromkeys(name for record in records for name in record.values)
    return list(columns), records


def parse_json(number: int, line: str) -> Record:
    """Return the JSON object of a line."""
    if not is_unicode(line):
        return Record(number, broken=Reason.BROKEN_ENCODING, explanation=", the line holds bytes that are not UTF-8")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return Record(number, broken=Reason.BROKEN_RECORD, explanation=", the line is not JSON")
    if not isinstance(content, dict):
        explanation = f", expected one JSON object, found {type(content).__name__}"
        return Record(number, broken=Reason.BROKEN_RECORD, explanation=explanation)
    return Record(number, content)


def _read_parquet(path: Path, wanted: Collection[str]) -> tuple[Sequence[str], Sequence[Record]]:
    with pq.ParquetFile(path) as file:
        columns = file.schema_arrow.names
        table = file.read(columns=[name for name in columns if name in wanted])
    values = {name: list(python_values(table[name])) for name in table.column_names}
    rows = [{name: column[i] for name, column in values.items()} for i in range(table.num_rows)]
    return columns, [Record(number, row) for number, row in enumerate(rows, start=1)]


def python_values(column: pa.ChunkedArray) -> Iterator[Any]:
    """Yield a column's values; Parquet does not make sure that its strings are UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        encoded = column.cast(pa.binary_view() if pa.types.is_string_view(column.type) else pa.large_binary())
        for value in encoded.to_pylist():
            yield None if value is None else value.decode("utf-8", "surrogateescape")
    else:
        yield from (_python_value(scalar) for scalar in column)


def _python_value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:  # within a list or a record
        return BROKEN_TEXT


def is_unicode(text: str) -> bool:
    """Whether a text holds no lone surrogate, the mark of bytes that are not UTF-8."""
    return not SURROGATE.search(text)


def _decode(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "surrogateescape")


Reader = Callable[[Path, Collection[str]], tuple[Sequence[str], Sequence[Record]]]
READERS: dict[str, Reader] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}
