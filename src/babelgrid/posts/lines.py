"""Read the lines of a text file: decompressed, decoded and limited in length."""

import codecs
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from babelgrid.errors import UserError
from babelgrid.posts.formats import BROKEN_TEXT, MAX_CHARACTERS_OF_A_ROW

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
BYTES_OF_A_HEAD = 1 << 16
# UTF-32 comes before UTF-16, because its mark in little-endian order begins with the UTF-16 mark.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Without a mark: the positions of zero bytes in the first two characters, which are ASCII in a header and in JSON.
ZERO_BYTES = {
    (False, True, True, True, False, True, True, True): "utf-32-le",
    (True, True, True, False, True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}

codecs.register_error("babelgrid.mark", lambda error: (BROKEN_TEXT, error.end))  # type: ignore[attr-defined]


@dataclass
class Lines:
    """The lines of one file, including line ends, while the file is open.

    A line of more than `MAX_CHARACTERS_OF_A_ROW` characters is cut one character after the limit.
    """

    lines: Iterator[str]
    position: Callable[[], float]
    """The share of the file that has been read, from 0 to 1."""


def read_head(path: Path) -> str:
    """Return the beginning of a text file, decoded."""
    head = _head_bytes(path)
    return head.decode(_encoding(head), "ignore")


@contextmanager
def open_lines(path: Path, newline: str) -> Iterator[Lines]:
    r"""Open a text file in UTF-8, UTF-16 or UTF-32. newline: the line end, `\n` (also after `\r`) or `\r`.

    Iterating over `lines` raises `UserError` if the file is damaged or its compressed data is truncated.
    """
    encoding = _encoding(_head_bytes(path))
    with path.open("rb") as raw:
        size = max(path.stat().st_size, 1)
        text = io.TextIOWrapper(_decompress(path, raw), encoding, "babelgrid.mark", newline=newline)
        yield Lines(_lines(text, newline, path), lambda: raw.tell() / size)


def _head_bytes(path: Path) -> bytes:
    head = b""
    with path.open("rb") as raw, suppress(EOFError, OSError, ValueError):  # `_lines` reports a damaged file
        binary = _decompress(path, raw)
        while len(head) < BYTES_OF_A_HEAD and (piece := binary.read1(BYTES_OF_A_HEAD)):
            head += piece
    return head


def _encoding(head: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    for pattern, encoding in ZERO_BYTES.items():
        if tuple(byte == 0 for byte in head[: len(pattern)]) == pattern:
            return encoding
    return "utf-8"


def _decompress(path: Path, raw: io.BufferedReader) -> io.BufferedReader:
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        return raw
    import pyarrow as pa  # not needed to build the grid

    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, "r"), compression), 1 << 16)


def _lines(text: io.TextIOWrapper, newline: str, path: Path) -> Iterator[str]:
    number = 0
    try:
        while line := text.readline(MAX_CHARACTERS_OF_A_ROW + 1):
            number += 1
            yield line
            while len(line) > MAX_CHARACTERS_OF_A_ROW and not line.endswith(newline):
                line = text.readline(MAX_CHARACTERS_OF_A_ROW + 1)
    except (OSError, EOFError, ValueError) as error:  # Arrow's errors are subclasses of these
        raise UserError(
            f"{path}: truncated or damaged after line {number} ({error}). Get a new copy, or cut the file there"
        ) from error
