"""Read the tables that are shipped with babelgrid."""

from importlib import resources

import pandas as pd


def read_shipped(name: str, *, key: str, value: str) -> dict[str, float]:
    """Return a table beside this module as a mapping from column `key` to column `value`; # starts a comment."""
    table = pd.read_csv(str(resources.files("babelgrid.operations") / name), comment="#")
    return {str(row): float(number) for row, number in zip(table[key], table[value], strict=True)}
