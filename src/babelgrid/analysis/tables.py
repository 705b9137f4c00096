"""Read the tables that `analysis` writes."""

from pathlib import Path

import pandas as pd

from babelgrid.runtime.files import read_csv

_NAMES = ("mixture", "test_language", "language", "split", "view", "class")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of results, with names as text and empty fields as missing values.

    Otherwise, a language such as `nan` (Min Nan) or a mixture named `1e5` would become a number in a table that was
    edited by hand. Raises `UserError` if the file cannot be read or has lost rows (see `read_csv`).
    """
    return read_csv(path, _NAMES)
