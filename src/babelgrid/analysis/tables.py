"""The tables that `analysis` writes, read back."""

from pathlib import Path

import pandas as pd

from babelgrid.errors import UserError

_NAMES = ("mixture", "test_language", "language", "split", "view", "class")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read cells.csv, classes.csv, transfer_matrix.csv or exposure.csv: names stay text, an empty field is missing.

    Without this, pandas would read a language such as `nan` (Min Nan) or a mixture named `1e5` as a number.
    Raises `UserError` where the file cannot be read.
    """
    try:
        return pd.read_csv(path, dtype=dict.fromkeys(_NAMES, str), keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}). Delete it and run again.") from error
