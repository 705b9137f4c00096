"""CSV and TSV row by row, by the rules of CSV (RFC 4180): a row that breaks them is marked, and the rest is read."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from babelgrid.posts.formats import MOST_CHARACTERS_OF_A_ROW, TOO_LONG, Record, record_of
from babelgrid.posts.rejects import Reason

# A quote that is never closed would make one record of all that follows; no post has so many lines.
MOST_LINES_OF_A_RECORD = 1000
# From so many lines on, a record whose inner lines all look like rows is more likely several rows than one text.
LINES_OF_A_SUSPECT = 5
DELIMITERS = (",", ";", "\t", "|")
USUAL = {".csv": ",", ".tsv": "\t"}
SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?', re.IGNORECASE)
INVISIBLE = "\ufeff\u200b"
AMBIGUOUS = "a quote opens in it and closes so far below that other rows may stand between"
UNQUOTED_BREAK = "a line break in a text that has no quotes around it, beside one that has"
BREAK = re.compile(r"[\r\n]")
QUOTED = re.compile(r'".*"', re.DOTALL)
CSV_RULES = "Put a text with quotes in quotes, and double the quotes inside"

Row = tuple[int, list[str] | str]
"""The line on which a row starts, with its fields, or with what is wrong with it."""

csv.field_size_limit(MOST_CHARACTERS_OF_A_ROW)


@dataclass(frozen=True)
class Dialect:
    r"""How a file is delimited. newline: `\n` (also behind `\r`) or `\r`."""

    delimiter: str
    newline: str
    has_sep_line: bool


def find_dialect(head: str, kind: str) -> Dialect:
    """Tell from the header what delimits fields and lines. kind: `.csv` or `.tsv`.

    The usual delimiter of the kind is taken wherever the header has it, and a line `sep=;`, as Excel writes it, counts
    most.
    """
    header, newline = _first_line(head)
    sep = SEP_LINE.fullmatch(header.strip(INVISIBLE + " \r\n"))
    if sep:
        return Dialect(sep[1], newline, has_sep_line=True)
    widths = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in (USUAL[kind], *DELIMITERS)}
    usual = USUAL[kind]
    return Dialect(usual if widths[usual] > 1 else max(widths, key=widths.__getitem__), newline, has_sep_line=False)


def _first_line(head: str) -> tuple[str, str]:
    """Return the first line that is not blank, and what ends it; a break within quotes ends none."""
    head = head.lstrip(INVISIBLE + "\r\n")
    for match in re.finditer(r"\r\n|\r|\n", head):
        line = head[: match.start()]
        if line.count('"') % 2 == 0:
            return line, "\r" if match[0] == "\r" else "\n"
    return head, "\n"


def read_delimited(lines: Iterator[str], dialect: Dialect) -> tuple[list[str], Iterator[Record]]:
    """Return the names of the columns and the rows. A line on which every field is empty is no row."""
    source = _Lines(lines)
    if dialect.has_sep_line:
        next((line for line in source if line.strip()), None)  # it was read already
        source.keep()
    rows = _filled(_tab_rows(source) if dialect.delimiter == "\t" else _csv_rows(source, dialect.delimiter))
    for line, header in rows:
        if isinstance(header, str):
            raise csv.Error(f"line {line}: its header breaks the rules of CSV: {header}")
        columns = [name.strip().strip(INVISIBLE).strip() for name in header]
        source.width = len(columns)
        return columns, (_record(line, row, columns) for line, row in rows)
    return [], iter(())


def _filled(rows: Iterator[Row]) -> Iterator[Row]:
    return ((line, row) for line, row in rows if isinstance(row, str) or any(field.strip() for field in row))


def _record(line: int, row: list[str] | str, columns: Sequence[str]) -> Record:
    if isinstance(row, str):
        hint = "" if row == TOO_LONG else f". {CSV_RULES}"
        fault = row if row == TOO_LONG else f"it breaks the rules of CSV ({row})"
        return Record(line, broken=Reason.BROKEN_RECORD, explanation=f", {fault}{hint}")
    return record_of(line, row, columns)


class _LimitError(Exception):
    pass


class _Lines:
    """Lines that can be gone back to, as far as the record that they belong to begins."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()
        self._size = 0
        self.record: list[str] = []
        self.number = 0
        self.width: int | None = None
        """How many fields the header has, once it is known."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.record) >= MOST_LINES_OF_A_RECORD:
            raise _LimitError(f"a quote is not closed within {MOST_LINES_OF_A_RECORD} lines")
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.number += 1
        self.record.append(line)
        self._size += len(line)
        if self._size > MOST_CHARACTERS_OF_A_ROW:
            raise _LimitError(
                TOO_LONG
                if len(self.record) == 1
                else f"a quote is not closed within {MOST_CHARACTERS_OF_A_ROW} characters"
            )
        return line

    def keep(self) -> None:
        """Let the lines of the record go."""
        self.record.clear()
        self._size = 0

    def back(self, kept: int) -> None:
        """Give the lines of the record out again, but for the first ones that are kept."""
        again = self.record[kept:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)
        self.keep()

    def are_rows(self, delimiter: str, lines: list[str]) -> bool:
        """Whether each of these lines has as many fields as the header, if quotes meant nothing."""
        return all(line.count(delimiter) + 1 == self.width for line in lines if line.strip())


def _csv_rows(source: _Lines, delimiter: str) -> Iterator[Row]:
    """Yield the records of CSV.

    A record that breaks off, or has too many lines, is given up at its first line, and the next lines are read afresh.
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
            # The reader gives a broken line up at once; only one that swallowed others is to be gone back to.
            source.back(1)
            yield start, str(error)
            continue
        return


def _tab_rows(source: _Lines) -> Iterator[Row]:
    """Yield the records of TSV.

    Some writers of TSV quote a field as in CSV, so that it may hold tabs and line breaks, others never do and leave
    bare quotes. A line that follows CSV's rules strictly is read by them, any other as it is. Where a quote opens on
    one line and closes on another, and both readings are possible, the lines are marked.
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
        # CSV's rules allow no such line, and read as it is, the quotes around a field would become part of it.
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
