"""Define what all figures share: the style file, colours, texts, and how a figure is saved."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from babelgrid.analysis.scores.metrics import Metric
from babelgrid.display.text import SCORE_DIGITS
from babelgrid.figures.fonts import families_for, warn_of_missing
from babelgrid.runtime.files import whole_file, write_csv

ONE_COLUMN, TWO_COLUMNS = 3.4, 7.0
"""Widths of a figure for one column of text and for two, in inches."""
SEEN_COLOUR = "#0072B2"
UNSEEN_COLOUR = "#D55E00"
RIVAL_COLOUR = "#009E73"
FAINT = "#767676"
"""The lightest grey that text may have on white (contrast 4.5 to 1)."""

METRIC_NAMES: dict[Metric, str] = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    "weighted_f1": "Weighted F1",
    "mcc": "MCC",
}

_LONGEST_SIDE, _MAX_DOTS = 60_000, 100_000_000
"""Limits of a PNG, in dots. matplotlib cannot draw a side of 65,536 dots or more."""

_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}


@contextmanager
def house_style(*words: str | pd.DataFrame) -> Iterator[None]:
    """Draw and save in babelgrid's style, whatever the user's own matplotlib settings are.

    words: texts that the figure will contain, or a table of them (its column names and text cells). Fonts are chosen
    for the scripts of these texts.
    """
    style = resources.files("babelgrid.figures") / "babelgrid.mplstyle"
    with resources.as_file(style) as path, matplotlib.style.context(["default", path]), warnings.catch_warnings():
        # `save_figure` logs one line per script instead of matplotlib's warning for every letter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcParams["font.family"] = [*families_for(_texts(words)), "sans-serif"]
        yield


def _texts(words: tuple[str | pd.DataFrame, ...]) -> Iterator[str]:
    for one in words:
        if isinstance(one, str):
            yield one
            continue
        for name in one.columns:
            yield str(name)
            if not pd.api.types.is_numeric_dtype(one[name].dtype):
                yield from map(str, one[name].dropna().unique())


def save_figure(figure: Figure, data: pd.DataFrame, out_stem: str | Path) -> None:
    """Write <out_stem>.pdf, .svg and .png, and the plotted numbers as <out_stem>.csv.

    Call it within `house_style`. The files contain no date, so the same table gives the same bytes.
    """
    for ending, metadata in _METADATA.items():
        with whole_file(f"{out_stem}.{ending}") as path:
            figure.savefig(path, format=ending, dpi=_resolution(figure), metadata=metadata)
    warn_of_missing(words.get_text() for words in figure.findobj(Text) if words.get_visible())
    write_csv(f"{out_stem}.csv", data)


def _resolution(figure: Figure) -> float:
    """Return the resolution in dots per inch: that of the style, or less for a figure too large for memory."""
    width, height = figure.get_size_inches()
    finest = float(matplotlib.rcParams["savefig.dpi"])
    return float(min(finest, _LONGEST_SIDE / max(width, height), (_MAX_DOTS / (width * height)) ** 0.5))


def decimal(value: float, digits: int = 2) -> str:
    """Write a score as printed tables do: `.83`, `1.00`, and with a true minus sign below zero.

    The middle between two numbers goes to the even one: .825 is written as .82, and .835 as .84. The page's script
    writes the same digits (`decimal` in report.js). digits: at most `SCORE_DIGITS`.
    """
    written = f"{abs(_rounded(value, digits)):.{digits}f}"
    text = written.removeprefix("0")
    return f"\N{MINUS SIGN}{text}" if value < 0 and float(written) != 0 else text


def signed(value: float, digits: int = 2) -> str:
    """Write a difference like `decimal`, with a plus sign above zero."""
    text = decimal(value, digits)
    return f"+{text}" if _rounded(value, digits) > 0 else text


def _rounded(value: float, digits: int) -> float:
    if not math.isfinite(value):
        return value
    # Integers have exact middles; most binary fractions are a little off.
    units = round(value * 10**SCORE_DIGITS)
    return float(round(units, digits - SCORE_DIGITS) / 10**SCORE_DIGITS)


def count_seeds(data: pd.DataFrame) -> str:
    """Describe how many seeds the scores of a figure are averaged over (column seeds)."""
    seeds = int(data["seeds"].max())
    return f"Means over {seeds} seeds" if seeds > 1 else "One seed"
