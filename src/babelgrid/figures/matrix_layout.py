"""Where the parts of a matrix stand, in inches from the top left corner."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from babelgrid.figures.order import language_name
from babelgrid.figures.style import TWO_COLUMNS, wrap

EDGE = 0.08
TITLE_ROW = 0.19
_UNKNOWN_GAP = 0.14
_SERIES_GAP = 0.05
_BAR_WIDTH = 0.62


@dataclass(frozen=True)
class Layout:
    """Where things stand, in inches from the top left corner."""

    columns: dict[str, float]
    """Test language -> left edge of its column."""
    rows: dict[str, float]
    """Mixture -> top edge of its row."""
    titles: dict[str, float]
    """Group of mixtures -> top edge of its title; none for a group without a name."""
    cell: tuple[float, float]
    """Width and height of a cell."""
    top: float
    """Where the first row starts, below the head."""
    bottom: float
    width: float
    height: float
    footnote: list[str]

    @property
    def is_narrow(self) -> bool:
        """Whether the figure is for one column of text."""
        return self.width < TWO_COLUMNS

    @property
    def number_size(self) -> float:
        """Font size of the numbers in cells, in points."""
        return 6.5 if self.cell[0] >= 0.24 else 5.5


def lay_out(data: pd.DataFrame, foot: str, width: float) -> Layout:
    """Place rows, columns and footnote of a matrix; it grows beyond `width` where there are too many languages.

    data: group, mixture, test_language and exposure of each cell in the order of reading. Languages whose exposure is
    unknown stand apart where the others' order is that of exposure.
    """
    mixtures = data["mixture"].drop_duplicates().tolist()
    left = EDGE + max(0.85, 0.062 * max(map(len, mixtures)) + 0.1)
    exposure = data.drop_duplicates("test_language").set_index("test_language")["exposure"]
    apart = (
        exposure.isna().to_numpy() if exposure[exposure.notna()].is_monotonic_decreasing else np.zeros(len(exposure))
    )
    gap = _UNKNOWN_GAP if apart.any() and not apart.all() and (np.diff(apart.astype(int)) >= 0).all() else 0.0
    smallest = 0.3 if width >= TWO_COLUMNS else 0.17
    cell = float(np.clip((width - left - gap - _BAR_WIDTH) / len(exposure), smallest, 0.6))
    columns = {
        str(language): left + number * cell + (gap if is_apart else 0)
        for number, (language, is_apart) in enumerate(zip(exposure.index, apart, strict=True))
    }
    head = 0.75 + 0.034 * max(len(heading(str(language))) for language in exposure.index)
    row_height = 0.2 if len(mixtures) <= 30 else 0.165
    rows, titles, bottom = _stack_rows(data, head, row_height)
    whole = max(width, left + gap + cell * len(exposure) + _BAR_WIDTH)
    footnote = wrap(foot, whole - 2 * EDGE, 6)
    legend = 0.3 if whole >= TWO_COLUMNS else 0.47 if data["ranked"].all() else 0.64
    return Layout(
        columns=columns,
        rows=rows,
        titles=titles,
        cell=(cell, row_height),
        top=head + TITLE_ROW,
        bottom=bottom,
        width=whole,
        height=bottom + 0.12 + legend + 0.12 * len(footnote),
        footnote=footnote,
    )


def heading(language: str) -> str:
    """Return what a column is headed by."""
    return f"{language_name(language)} ({language})"


def _stack_rows(data: pd.DataFrame, y: float, row_height: float) -> tuple[dict[str, float], dict[str, float], float]:
    """Return the top edges of rows and of group titles, and the bottom edge of them all."""
    rows: dict[str, float] = {}
    titles: dict[str, float] = {}
    series = ""
    for group, members in data.groupby("group", sort=False):
        if group:
            titles[str(group)] = y
        y += TITLE_ROW
        for mixture in members["mixture"].drop_duplicates():
            base, _, dose = str(mixture).partition("@")
            if group and dose and base != series and rows and "@" in list(rows)[-1]:
                y += _SERIES_GAP
            series = base
            rows[str(mixture)] = y
            y += row_height
    return rows, titles, y
