"""Cells that a spreadsheet would run as a formula: written with an apostrophe in front, and read back without it."""

import re
from collections.abc import Callable

import pandas as pd

_INVISIBLE = r"\s\0-\x1f\x7f\u200b-\u200f\u2060\ufeff"
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""= + - @, full-width and small too."""
_FORMULA = re.compile(rf"'*(?:[{_INVISIBLE}]*[{_SIGNS}]|[\t\r\n])")
"""What a spreadsheet takes for a formula. Apostrophes in front are part of it, so that reading undoes writing."""


def defuse(value: object) -> object:
    """Return a text so that no spreadsheet runs it; anything but a text is returned unchanged."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def restore(value: object) -> object:
    """Return the value that `defuse` was given."""
    return value[1:] if isinstance(value, str) and value.startswith("'") and _FORMULA.match(value[1:]) else value


def text_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold at least one text."""
    others = [name for name, column in frame.items() if not pd.api.types.is_numeric_dtype(column.dtype)]
    return [str(name) for name in others if frame[name].map(lambda value: isinstance(value, str)).any()]


def defuse_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every text and every column name defused; numbers stay numbers."""
    return _change(frame, defuse)


def restore_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame that `defuse_frame` was given."""
    return _change(frame, restore)


def _change(frame: pd.DataFrame, change: Callable[[object], object]) -> pd.DataFrame:
    changed = frame.copy(deep=False)
    for name in text_columns(frame):
        changed[name] = frame[name].astype("object").map(change)
    return changed.rename(columns=change)
