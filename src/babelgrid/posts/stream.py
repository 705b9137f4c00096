"""Reading files of any size row by row, compressed or not: a row that cannot be read is marked, the rest goes on."""

import csv
import io
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from babelgrid.errors import UserError
from babelgrid.posts.drops import Reason
from babelgrid.posts.formats import Record, parse_json, python_values, record_of, split_tabs

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
# A quote that is never closed would make one record of all that follows; no post runs over so many lines.
MOST_LINES_OF_A_RECORD = 1000
ROWS_OF_PARQUET = 8192


@dataclass
class Stream:
    """The rows of one file, in order, while the file is open."""

    columns: Sequence[str] | None
    """None for JSONL, in which every line has its own."""
    records: Iterator[Record]
    position: Callable[[], float]
    """How much of the file has been read, from 0 to 1."""


@contextmanager
def open_stream(path: Path, wanted: Collection[str]) -> Iterator[Stream]:
    """Open CSV, TSV, JSONL (each also .gz or .zst) or Parquet (of which only the `wanted` columns are read).

    Raises `UserError`, at once or from `records`, for another kind of file, one that cannot be opened, or one whose
    compressed data break off.
    """
    kind = file_kind(path)
    try:
        if kind == ".parquet":
            # Without a buffer of its own the reader takes a whole column of a row group into memory.
            with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
                yield _parquet_stream(file, wanted)
            return
        with path.open("rb") as raw:
            size = max(path.stat().st_size, 1)
            binary = _decompress(path, raw)
            # A lone carriage return ends no line of JSON or TSV, and csv knows itself what it ends.
            text = io.TextIOWrapper(binary, "utf-8-sig", "surrogateescape", newline="" if kind == ".csv" else "\n")
            yield TEXT_STREAMS[kind](_lines(text, path), lambda: raw.tell() / size)
    except (OSError, csv.Error, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def file_kind(path: Path) -> str:
    """Return the suffix that says how a file is read, without that of its compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    is_known = kind == path.suffix.lower() if kind == ".parquet" else kind in TEXT_STREAMS
    if not is_known:
        allowed = ", ".join([*TEXT_STREAMS, ".parquet"])
        raise UserError(f"{path}: the name must end in one of {allowed} (text files also with .gz or .zst behind)")
    return kind


def parquet_metadata(path: Path) -> pq.FileMetaData:
    """Return what the footer of a Parquet file says; `UserError` where it cannot be read."""
    try:
        return pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _decompress(path: Path, raw: io.BufferedReader) -> io.BufferedReader:
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        return raw
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, "r"), compression), 1 << 16)


def _lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    number = 0
    try:
        for number, line in enumerate(text, start=1):  # noqa: B007 (counted for the message)
            yield line
    except (OSError, EOFError, pa.ArrowException) as error:
        raise UserError(
            f"{path}: the file breaks off or is damaged after line {number} ({error}). Get it again, or cut it there"
        ) from error


def _csv_stream(lines: Iterator[str], position: Callable[[], float]) -> Stream:
    rows = _csv_rows(lines)
    for _, header in rows:
        if isinstance(header, str):
            raise csv.Error(f"its header breaks the rules of CSV: {header}")
        columns = [name.strip() for name in header]
        return Stream(columns, (_csv_record(line, row, columns) for line, row in rows), position)
    return Stream([], iter(()), position)


def _csv_record(line: int, row: list[str] | str, columns: list[str]) -> Record:
    if isinstance(row, str):
        return Record(line, broken=Reason.BROKEN_RECORD, explanation=f", it breaks the rules of CSV ({row})")
    return record_of(line, row, columns)


def _csv_rows(lines: Iterator[str]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the line on which each record starts, with its fields, or with what is wrong with it.

    A record that breaks off, or runs over too many lines, is given up at its first line; the next ones are read anew.
    """
    source = _Rewindable(lines)
    while True:
        reader = csv.reader(source, strict=True)
        start = source.number + 1
        try:
            for row in reader:
                if row:
                    yield start, row
                source.keep()
                start = source.number + 1
        except (csv.Error, _TooManyLinesError) as error:
            # The reader gives a broken line up at once; only one that swallowed others is to be gone back to.
            source.back_to_second_line()
            yield start, str(error)
            continue
        return


class _TooManyLinesError(Exception):
    pass


class _Rewindable:
    """Lines that can be gone back to, as far as the record that they belong to begins."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()
        self._of_record: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._of_record) >= MOST_LINES_OF_A_RECORD:
            raise _TooManyLinesError(f"a quote is not closed within {MOST_LINES_OF_A_RECORD} lines")
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.number += 1
        self._of_record.append(line)
        return line

    def keep(self) -> None:
        """Let the lines of the record go."""
        self._of_record.clear()

    def back_to_second_line(self) -> None:
        """Give the lines of the record out again, but for its first."""
        again = self._of_record[1:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)
        self._of_record.clear()


def _tsv_stream(lines: Iterator[str], position: Callable[[], float]) -> Stream:
    rows = ((number, split_tabs(line.rstrip("\r\n"))) for number, line in enumerate(lines, start=1))
    filled = ((number, row) for number, row in rows if row)
    for _, header in filled:
        columns = [name.strip() for name in header]
        return Stream(columns, (record_of(number, row, columns) for number, row in filled), position)
    return Stream([], iter(()), position)


def _jsonl_stream(lines: Iterator[str], position: Callable[[], float]) -> Stream:
    return Stream(None, (parse_json(number, line) for number, line in enumerate(lines, 1) if line.strip()), position)


def _parquet_stream(file: pq.ParquetFile, wanted: Collection[str]) -> Stream:
    columns = file.schema_arrow.names
    done = 0

    def records() -> Iterator[Record]:
        nonlocal done
        for batch in file.iter_batches(ROWS_OF_PARQUET, columns=[name for name in columns if name in wanted]):
            values = {name: list(python_values(pa.chunked_array([batch[name]]))) for name in batch.schema.names}
            for row in range(batch.num_rows):
                done += 1
                yield Record(done, {name: column[row] for name, column in values.items()})

    return Stream(columns, records(), lambda: done / max(file.metadata.num_rows, 1))


TEXT_STREAMS: dict[str, Callable[[Iterator[str], Callable[[], float]], Stream]] = {
    ".csv": _csv_stream,
    ".tsv": _tsv_stream,
    ".jsonl": _jsonl_stream,
    ".ndjson": _jsonl_stream,
}
