"""Read CSV and TSV row by row by the rules of CSV (RFC 4180), marking invalid rows and continuing after them."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from babelgrid.posts.formats import MAX_CHARACTERS_OF_A_ROW, TOO_LONG, Record, record_of
from babelgrid.posts.rejects import Reason

# A quote that is never closed would turn the rest of the file into one record; no post has this many lines.
MAX_LINES_OF_A_RECORD = 1000
# If a record has at least this many lines and all inner ones look like rows, it is more likely several rows than one
# text.
LINES_OF_A_SUSPECT = 5
DELIMITERS = (",", ";", "\t", "|")
USUAL = {".csv": ",", ".tsv": "\t"}
SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?', re.IGNORECASE)
INVISIBLE = "\ufeff\u200b"
AMBIGUOUS = "a quoted field spans several lines that may be separate rows"
UNQUOTED_BREAK = "an unquoted field contains a line break next to a quoted field"
BREAK = re.compile(r"[\r\n]")
QUOTED = re.compile(r'".*"', re.DOTALL)
CSV_RULES = "Enclose a text that contains quotes in quotes, and double the quotes inside it"

Row = tuple[int, list[str] | str]
"""The line on which a row starts, and its fields or a description of the error in it."""

csv.field_size_limit(MAX_CHARACTERS_OF_A_ROW)


@dataclass(frozen=True)
class Dialect:
    r"""The delimiters of a file. newline: `\n` (also after `\r`) or `\r`."""

    delimiter: str
    newline: str
    has_sep_line: bool


def find_dialect(head: str, kind: str) -> Dialect:
    """Detect the delimiters of fields and lines from the header. kind: `.csv` or `.tsv`.

    A line `sep=;`, as written by Excel, takes precedence. Otherwise the usual delimiter of the kind is used if the
    header contains it.
    """
    header, newline = _first_line(head)
    sep = SEP_LINE.fullmatch(header.strip(INVISIBLE + " \r\n"))
    if sep:
        return Dialect(sep[1], newline, has_sep_line=True)
    widths = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in (USUAL[kind], *DELIMITERS)}
    usual = USUAL[kind]
    return Dialect(usual if widths[usual] > 1 else max(widths, key=widths.__getitem__), newline, has_sep_line=False)


def _first_line(head: str) -> tuple[str, str]:
    """Return the first non-blank line and the character that ends it; line breaks within quotes do not count."""
    head = head.lstrip(INVISIBLE + "\r\n")
    for match in re.finditer(r"\r\n|\r|\n", head):
        line = head[: match.start()]
        if line.count('"') % 2 == 0:
            return line, "\r" if match[0] == "\r" else "\n"
    return head, "\n"


def read_delimited(lines: Iterator[str], dialect: Dialect) -> tuple[list[str], Iterator[Record]]:
    """Return the names of the columns and the rows, skipping lines on which every field is empty."""
    source = _Lines(lines)
    if dialect.has_sep_line:
        next((line for line in source if line.strip()), None)  # find_dialect has already read it
        source.keep()
    rows = _filled(_tab_rows(source) if dialect.delimiter == "\t" else _csv_rows(source, dialect.delimiter))
    for line, header in rows:
        if isinstance(header, str):
            raise csv.Error(f"line {line}: the header is not valid CSV: {header}")
        columns = [name.strip().strip(INVISIBLE).strip() for name in header]
        source.width = len(columns)
        return columns, (_record(line, row, columns) for line, row in rows)
    return [], iter(())


def _filled(rows: Iterator[Row]) -> Iterator[Row]:
    return ((line, row) for line, row in rows if isinstance(row, str) or any(field.strip() for field in row))


def _record(line: int, row: list[str] | str, columns: Sequence[str]) -> Record:
    if isinstance(row, str):
        hint = "" if row == TOO_LONG else f". {CSV_RULES}"
        fault = row if row == TOO_LONG else f"it is not valid CSV ({row})"
        return Record(line, broken=Reason.BROKEN_RECORD, explanation=f", {fault}{hint}")
    return record_of(line, row, columns)


class _LimitError(Exception):
    pass


class _Lines:
    """An iterator over lines that can go back to the beginning of the current record."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()
        self._size = 0
        self.record: list[str] = []
        self.number = 0
        self.width: int | None = None
        """The number of fields in the header, once it is known."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.record) >= MAX_LINES_OF_A_RECORD:
            raise _LimitError(f"a quote is not closed within {MAX_LINES_OF_A_RECORD} lines")
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.number += 1
        self.record.append(line)
        self._size += len(line)
        if self._size > MAX_CHARACTERS_OF_A_ROW:
            raise _LimitError(
                TOO_LONG
                if len(self.record) == 1
                else f"a quote is not closed within {MAX_CHARACTERS_OF_A_ROW} characters"
            )
        return line

    def keep(self) -> None:
        """Discard the lines of the record."""
        self.record.clear()
        self._size = 0

    def back(self, kept: int) -> None:
        """Queue the lines of the record to be read again, except the first `kept`."""
        again = self.record[kept:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)
        self.keep()

    def are_rows(self, delimiter: str, lines: list[str]) -> bool:
        """Return whether each of these lines, without blank ones, has as many fields as the header, ignoring quotes."""
        filled = [line for line in lines if line.strip()]
        return bool(filled) and all(line.count(delimiter) + 1 == self.width for line in filled)


def _csv_rows(source: _Lines, delimiter: str) -> Iterator[Row]:
    """Yield the records of CSV.

    If a record is incomplete or has too many lines, its first line is reported and reading resumes at the next line.
    """
    while True:
        reader = csv.reader(source, delimiter=delimiter, strict=True)
        start = source.number + 1
        try:
            for row in reader:
                suspects = len(source.record) >= LINES_OF_A_SUSPECT and len(row) > 1
                if suspects and source.are_rows(delimiter, source.record[1:-1]):
                    yield from _ambiguous(source, start)
                else:
                    yield start, row
                source.keep()
                start = source.number + 1
        except (csv.Error, _LimitError) as error:
            # The reader stops at once at a broken line; go back only if the record has taken in more lines.
            source.back(1)
            yield start, str(error)
            continue
        return


def _tab_rows(source: _Lines) -> Iterator[Row]:
    """Yield the records of TSV.

    Some TSV writers quote fields as in CSV, so a field may contain tabs and line breaks. Others never quote and write
    literal quotes. A line that is strictly valid CSV is read as CSV, any other line literally. Where a quote opens on
    one line and closes on another and both readings are possible, the lines are marked as broken.
    """
    while True:
        start = source.number + 1
        try:
            line = next(source)
        except StopIteration:
            return
        except _LimitError as error:
            source.back(1)
            yield start, str(error)
            continue
        if '"' in line:
            source.back(0)
            yield from _quoted(source, start)
        else:
            yield start, _split(line)
        source.keep()


def _quoted(source: _Lines, start: int) -> Iterator[Row]:
    try:
        row = next(csv.reader(source, delimiter="\t", strict=True))
    except (csv.Error, _LimitError):
        row = []
    if row and len(source.record) == 1:
        yield start, row
    elif not row or source.width not in (None, len(row)):
        fields = _split(source.record[0])
        source.back(1)
        # The line is not valid CSV, and a literal reading would make the quotes around a field part of the field.
        is_half_quoted = any(map(BREAK.search, fields)) and any(map(QUOTED.fullmatch, fields))
        yield start, UNQUOTED_BREAK if is_half_quoted else fields
    elif source.are_rows("\t", source.record):
        yield from _ambiguous(source, start)
    else:
        yield start, row


def _split(line: str) -> list[str]:
    return line.removesuffix("\n").removesuffix("\r").split("\t")


def _ambiguous(source: _Lines, start: int) -> Iterator[Row]:
    yield from ((start + number, AMBIGUOUS) for number in range(len(source.record)))
