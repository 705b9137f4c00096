"""Read files of any size row by row, compressed or not, marking unreadable rows and continuing after them."""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from babelgrid.errors import UserError
from babelgrid.posts.delimited import USUAL, find_dialect, read_delimited
from babelgrid.posts.formats import Record, parse_json
from babelgrid.posts.lines import COMPRESSIONS, open_lines, read_head
from babelgrid.spelling import respelled

JSON_LINES = (".jsonl", ".ndjson")
TEXT_KINDS = (*USUAL, *JSON_LINES)
KINDS = ", ".join((*TEXT_KINDS, ".parquet"))


@dataclass
class Stream:
    """The rows of one file, in order, while the file is open."""

    columns: Sequence[str] | None
    """None for JSONL, in which each line has its own column names."""
    records: Iterator[Record]
    position: Callable[[], float]
    """The share of the file that has been read, from 0 to 1."""


@contextmanager
def open_stream(path: Path, wanted: Collection[str], kind: str | None = None) -> Iterator[Stream]:
    """Open CSV, TSV, JSONL (each also as .gz or .zst) or Parquet (reading only the `wanted` columns).

    kind: the file's suffix, such as `.csv`, if its name does not have it. A row of more than
    `MAX_CHARACTERS_OF_A_ROW` characters is marked as broken, which bounds memory. Columns that differ from a name in
    `wanted` only in spelling get that name (see `babelgrid.spelling`). Raises `UserError`, at once or from `records`,
    if the kind of file is unsupported, the file cannot be opened, or its compressed data is truncated.
    """
    kind = kind or file_kind(path)
    with _open_parquet(path, wanted) if kind == ".parquet" else _open_text(path, kind) as stream:
        columns = None if stream.columns is None else respelled(stream.columns, wanted)
        yield Stream(columns, rename_columns(stream.records, wanted), stream.position)


def rename_columns(records: Iterable[Record], wanted: Collection[str]) -> Iterator[Record]:
    """Yield the records with columns renamed to the names in `wanted` from which only the spelling differs."""
    known: dict[tuple[str, ...], list[str]] = {}
    for record in records:
        given = tuple(record.values)
        names = known.get(given)
        if names is None:
            names = known[given] = _names_once(given, wanted)
        yield (
            record
            if names == list(given)
            else replace(record, values=dict(zip(names, record.values.values(), strict=True)))
        )


def _names_once(given: Sequence[str], wanted: Collection[str]) -> list[str]:
    """Return the new names of the columns, unchanged where two columns would get the same name."""
    names = respelled(given, wanted)
    return [new if names.count(new) == 1 else old for old, new in zip(given, names, strict=True)]


def file_kind(path: Path) -> str:
    """Return the suffix that gives the format of a file, without the compression suffix."""
    kind = suffix_of(path)
    is_known = kind == path.suffix.lower() if kind == ".parquet" else kind in TEXT_KINDS
    if not is_known:
        raise UserError(f"{path}: the name must end in one of {KINDS} (text files may also have .gz or .zst after it)")
    return kind


def suffix_of(path: Path) -> str:
    """Return the last suffix of a path, ignoring a compression suffix."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def _open_text(path: Path, kind: str) -> Iterator[Stream]:
    try:
        if kind in JSON_LINES:
            with open_lines(path, "\n") as lines:
                filled = ((number, line) for number, line in enumerate(lines.lines, 1) if line.strip())
                yield Stream(None, (parse_json(*line) for line in filled), lines.position)
            return
        dialect = find_dialect(read_head(path), kind)
        with open_lines(path, dialect.newline) as lines:
            columns, records = read_delimited(lines.lines, dialect)
            yield Stream(columns, records, lines.position)
    except (OSError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


@contextmanager
def _open_parquet(path: Path, wanted: Collection[str]) -> Iterator[Stream]:
    from babelgrid.posts.parquet import open_parquet  # not needed to build the grid

    with open_parquet(path, wanted) as (columns, records, rows):
        done = 0

        def counted() -> Iterator[Record]:
            nonlocal done
            for record in records:
                done += 1
                yield record

        yield Stream(columns, counted(), lambda: done / max(rows, 1))
