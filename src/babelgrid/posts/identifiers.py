"""Convert identifiers to one canonical form, whatever their type or file format."""

import hashlib
import re
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

EXACT_FLOATS = 2**53
FLOAT_OF_AN_INTEGER = re.compile(r"(-?[0-9]+)\.0", re.ASCII)
PLAIN_INTEGER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
# The format of long numbers in Excel (from 12 digits) and pandas (from 8 or 17). A hexadecimal identifier has no plus.
ROUNDED_NUMBER = re.compile(r"-?[0-9](\.[0-9]+[eE]\+[0-9]{2,3}|[eE]\+[1-9][0-9]{1,2})", re.ASCII)

INEXACT = "contains a floating-point number too large to be exact; store such identifiers as integers or as text"
ROUNDED = "contains a number rounded to scientific notation, as spreadsheets do; store such identifiers as text"


def as_text(value: Any) -> str | None:
    """Return a scalar as text (empty if missing), or None for a list or a record."""
    if isinstance(value, str):
        return value
    if value is None or _is_nan(value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if isinstance(value, int | float | Decimal | date | np.number | np.bool_) else None


def as_id(value: Any) -> str | None:
    """Return an identifier in its canonical form (empty if missing), or None if invalid (see `why_no_id`).

    Outer white space is removed and Unicode is composed (NFC). An integer is the same identifier in every type: the
    integer 3, the float 3.0 and the texts "3" and "3.0" (a column of integers with missing values is saved as floats).
    Nothing else is read as a number: "007", "3.10" and "1e5" are unchanged.
    """
    if why_no_id(value):
        return None
    if isinstance(value, float | Decimal | np.floating) and not _is_nan(value) and value == int(value):
        return str(int(value))
    text = (as_text(value) or "").strip()
    return canonical_id(text)


def canonical_id(text: str) -> str:
    """Return the canonical form of an identifier that is already text."""
    text = text.strip()
    if not text.isascii():
        return unicodedata.normalize("NFC", text)
    match = FLOAT_OF_AN_INTEGER.fullmatch(text)
    if match is None:
        return text
    integer = "0" if match[1] == "-0" else match[1]
    return integer if PLAIN_INTEGER.fullmatch(integer) else text


def why_no_id(value: Any) -> str:
    """Return why a value is not a valid identifier, or "" if it is valid.

    Rounded numbers are invalid because several identifiers may be rounded to the same number.
    """
    if as_text(value) is None:
        return why_no_text(value)
    if isinstance(value, str):
        return _why_rounded(value.strip())
    is_float = isinstance(value, float | np.floating) and not _is_nan(value)
    is_inexact = is_float and abs(float(value)) >= _first_inexact(value)
    return INEXACT if is_inexact or (isinstance(value, Decimal) and value.is_infinite()) else ""


def _why_rounded(text: str) -> str:
    if (match := FLOAT_OF_AN_INTEGER.fullmatch(text)) and len(match[1]) > 15 and abs(int(match[1])) >= EXACT_FLOATS:
        return INEXACT
    return ROUNDED if ROUNDED_NUMBER.fullmatch(text) else ""


def why_no_text(value: Any) -> str:
    """Return a message with the type of a value that is not text."""
    return f"contains a {type(value).__name__}, not a text"


def unique_id(value: str, language: str) -> str:
    """Return a post's id prefixed with its language, which makes it unique across languages."""
    return value if value.startswith(f"{language}-") else f"{language}-{value}"


def seeded_rank(seed: int, identifier: str) -> str:
    """Return a sort key for a pseudo-random order that depends only on the seed and the posts' ids.

    Adding posts does not change the relative order of the others.
    """
    return hashlib.blake2b(f"{seed}\n{identifier}".encode(), digest_size=16).hexdigest()


def _is_nan(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _first_inexact(value: "float | np.floating[Any]") -> int:
    return EXACT_FLOATS if isinstance(value, float) else 2 ** (int(np.finfo(type(value)).nmant) + 1)
