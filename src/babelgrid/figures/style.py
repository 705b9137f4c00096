"""What all figures share: the style file, colours, words, and how a figure is saved."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from babelgrid.analysis.metrics import Metric
from babelgrid.files import whole_file, write_csv

ONE_COLUMN, TWO_COLUMNS = 3.4, 7.0
"""Widths of a figure over one column of text and over two, in inches."""
SEEN_COLOUR = "#0072B2"
UNSEEN_COLOUR = "#D55E00"
FAINT = "#767676"
"""The lightest grey that text may have on white (contrast 4.5 to 1)."""

METRIC_NAMES: dict[Metric, str] = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    "weighted_f1": "Weighted F1",
    "mcc": "MCC",
}

_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save in babelgrid's style, whatever the user's own matplotlib settings are."""
    style = resources.files("babelgrid.figures") / "babelgrid.mplstyle"
    with resources.as_file(style) as path, matplotlib.style.context(["default", path]):
        yield


def save_figure(figure: Figure, data: pd.DataFrame, out_stem: str | Path) -> None:
    """Write <out_stem>.pdf, .svg and .png, and the numbers that are drawn as <out_stem>.csv.

    Call it within `house_style`. Nothing in the files depends on the day, so the same table gives the same bytes.
    """
    for ending, metadata in _METADATA.items():
        with whole_file(f"{out_stem}.{ending}") as path:
            figure.savefig(path, format=ending, metadata=metadata)
    write_csv(f"{out_stem}.csv", data)


def decimal(value: float, digits: int = 2) -> str:
    """Write a score as tables in print do: `.83`, `1.00`, and below zero with a true minus sign."""
    text = f"{abs(value):.{digits}f}".removeprefix("0")
    is_negative = value < 0 and float(f"{value:.{digits}f}") != 0
    return f"\N{MINUS SIGN}{text}" if is_negative else text


def signed(value: float, digits: int = 2) -> str:
    """Write a difference as `decimal` does, with a plus sign above zero."""
    text = decimal(value, digits)
    return f"+{text}" if float(f"{value:.{digits}f}") > 0 else text


def wrap(text: str, width: float, size: float) -> list[str]:
    """Break text into lines that fit a width in inches at a font size in points."""
    return textwrap.wrap(text, int(width * 72 / (0.54 * size)))


def count_seeds(data: pd.DataFrame) -> str:
    """Say over how many seeds the scores of a figure are averaged (column seeds)."""
    seeds = int(data["seeds"].max())
    return f"Means over {seeds} seeds" if seeds > 1 else "One seed"
