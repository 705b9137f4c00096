"""Tables that come with babelgrid."""

from importlib import resources

import pandas as pd


def read_shipped(name: str, *, key: str, value: str) -> dict[str, float]:
    """Return one column of a table beside this module by another; lines that begin with # are notes."""
    table = pd.read_csv(str(resources.files("babelgrid.operations") / name), comment="#")
    return {str(row): float(number) for row, number in zip(table[key], table[value], strict=True)}
