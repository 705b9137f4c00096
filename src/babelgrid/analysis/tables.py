"""The tables that `analysis` writes, read back."""

from pathlib import Path

import pandas as pd

from babelgrid.runtime.files import read_csv

_NAMES = ("mixture", "test_language", "language", "split", "view", "class")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of results: names stay text, an empty field is missing.

    Without this, a language such as `nan` (Min Nan) or a mixture named `1e5` would become a number in a table that was
    edited by hand. Raises `UserError` where the file cannot be read or has lost rows (see `read_csv`).
    """
    return read_csv(path, _NAMES)
