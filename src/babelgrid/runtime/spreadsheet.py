"""Prefix cells that a spreadsheet would run as a formula with an apostrophe, and remove it when reading."""

import re
from collections.abc import Callable

import pandas as pd

_INVISIBLE = r"\s\0-\x1f\x7f\u200b-\u200f\u2060\ufeff"
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""= + - @, also in their full-width and small forms."""
_FORMULA = re.compile(rf"'*(?:[{_INVISIBLE}]*[{_SIGNS}]|[\t\r\n])")
"""Text that a spreadsheet treats as a formula. Leading apostrophes also match, so that reading undoes writing."""


def defuse(value: object) -> object:
    """Return a text in a form that no spreadsheet runs; other values are returned unchanged."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def restore(value: object) -> object:
    """Return the original value that was passed to `defuse`."""
    return value[1:] if isinstance(value, str) and value.startswith("'") and _FORMULA.match(value[1:]) else value


def text_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns that contain at least one text."""
    others = [name for name, column in frame.items() if not pd.api.types.is_numeric_dtype(column.dtype)]
    return [str(name) for name in others if frame[name].map(lambda value: isinstance(value, str)).any()]


def defuse_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with all texts and column names defused; numbers stay numbers."""
    return _change(frame, defuse)


def restore_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the original frame that was passed to `defuse_frame`."""
    return _change(frame, restore)


def _change(frame: pd.DataFrame, change: Callable[[object], object]) -> pd.DataFrame:
    changed = frame.copy(deep=False)
    for name in text_columns(frame):
        changed[name] = frame[name].astype("object").map(change)
    return changed.rename(columns=change)
