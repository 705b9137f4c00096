"""Lay out the parts of a matrix, in inches from the top left corner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from babelgrid.display.order import language_name
from babelgrid.figures.measure import size_of, widest, wrap
from babelgrid.figures.page import EDGE, title_size
from babelgrid.figures.style import TWO_COLUMNS

NAME, SHARE, KEY, HEAD = 6.5, 6.0, 6.5, 6.5
"""Font sizes of names, shares, the keys at the foot and the line below the title, in points."""
TITLE_LINE, HEAD_LINE = 0.15, 0.13
KEY_BOX = (0.26, 0.14)
"""Width and height of a key at the foot, in inches."""
TITLE_ROW = 0.19
_UNKNOWN_GAP = 0.14
_SERIES_GAP = 0.05
_BAR_WIDTH = 0.62


@dataclass(frozen=True)
class Columns:
    """Columns of a matrix, in inches from the left."""

    edges: dict[str, float]
    """Test language -> left edge of its column."""
    cell: float
    """Width of a column."""
    turn: float
    """Rotation of the column names, in degrees."""
    rise: float
    """Height of the rotated names."""
    share_room: float
    """Height of the row of shares above the cells."""
    are_shares_upright: bool
    """Whether shares are rotated by 90 degrees because they are wider than a column."""
    end: float
    """Width of the figure."""


@dataclass(frozen=True)
class Layout:
    """Positions of the parts of a matrix, in inches from the top left corner."""

    columns: Columns
    rows: dict[str, float]
    """Mixture -> top edge of its row."""
    titles: dict[str, float]
    """Group of mixtures -> top edge of its title; groups without a name are left out."""
    row_height: float
    top: float
    """Top edge of the first row, below the head."""
    bottom: float
    height: float
    title: list[str]
    head: list[str]
    """The lines below the title."""
    footnote: list[str]
    keys: list[tuple[float, float]]
    """Left edge of each key at the foot, and its distance below the first row of keys."""

    @property
    def width(self) -> float:
        """Return the width of the figure."""
        return self.columns.end

    @property
    def cell(self) -> tuple[float, float]:
        """Return width and height of a cell."""
        return self.columns.cell, self.row_height

    @property
    def is_narrow(self) -> bool:
        """Return whether the figure is for one column of text."""
        return self.width < TWO_COLUMNS

    @property
    def number_size(self) -> float:
        """Return the font size of the numbers in cells, in points."""
        return 6.5 if self.cell[0] >= 0.28 else 6


def lay_out(
    data: pd.DataFrame,
    *,
    title: str,
    head: str,
    foot: str,
    keys: Sequence[str],
    write: Callable[[float], str],
    width: float,
) -> Layout:
    """Lay out a matrix; it becomes wider than `width` if there are too many languages. Call it within `house_style`.

    data: group, mixture, test_language, exposure and value of each cell, in reading order. If columns are sorted by
    exposure, languages of unknown exposure are set apart. title, head: the title of the matrix and the line below it.
    keys: text beside each key at the foot. write: formats the value of a cell.
    """
    columns = _place_columns(data, write, width)
    row_height = 0.2 if data["mixture"].nunique() <= 30 else 0.165
    titles = wrap(title, columns.end - 2 * EDGE, title_size(width), "bold")
    heads = wrap(head, columns.end - 2 * EDGE, HEAD)
    above = 0.12 + TITLE_LINE * len(titles) + HEAD_LINE * len(heads)
    names_end = above + columns.rise + 0.04 + columns.share_room
    rows, group_titles, bottom = _stack_rows(data, names_end, row_height)
    footnote, places = wrap(foot, columns.end - 2 * EDGE, 6), _place_keys(keys, columns.end)
    return Layout(
        columns=columns,
        rows=rows,
        titles=group_titles,
        row_height=row_height,
        top=names_end + TITLE_ROW,
        bottom=bottom,
        height=bottom + 0.12 + places[-1][1] + 0.24 + 0.12 * len(footnote),
        title=titles,
        head=heads,
        footnote=footnote,
        keys=places,
    )


def _place_columns(data: pd.DataFrame, write: Callable[[float], str], width: float) -> Columns:
    """Place one column per language to the right of the mixture names; exceed `width` if the numbers need the room."""
    exposure = data.drop_duplicates("test_language").set_index("test_language")["exposure"]
    left = EDGE + max(0.85, widest(data["mixture"].unique().tolist(), NAME) + 0.08)
    smallest = max(0.17, widest([write(value) for value in data["value"].dropna()], 6) + 0.03)
    apart = exposure.isna().to_numpy()
    if not exposure[exposure.notna()].is_monotonic_decreasing:
        apart = np.zeros(len(exposure), bool)
    gap = _UNKNOWN_GAP if apart.any() and not apart.all() and (np.diff(apart.astype(int)) >= 0).all() else 0.0
    cell = float(np.clip((width - left - gap - _BAR_WIDTH) / len(exposure), smallest, 0.6))
    edges = {
        str(language): left + number * cell + (gap if is_apart else 0)
        for number, (language, is_apart) in enumerate(zip(exposure.index, apart, strict=True))
    }
    turn = 40 if cell > 0.2 else 60
    rises, reaches = _corners([heading(name) for name in edges], NAME if cell >= 0.28 else 6, turn)
    ends = [x + cell / 2 + reach for x, reach in zip(edges.values(), reaches, strict=True)]
    shares = widest([write_share(share) for share in exposure], SHARE)
    are_upright = shares > cell - 0.02
    return Columns(
        edges=edges,
        cell=cell,
        turn=turn,
        rise=max(rises),
        share_room=shares + 0.04 if are_upright else 0.1,
        are_shares_upright=are_upright,
        end=max(width, left + gap + cell * len(exposure) + _BAR_WIDTH, max(ends) + EDGE),
    )


def write_share(share: float) -> str:
    """Write a language's exposure with two significant digits, or a question mark if it is unknown."""
    if np.isnan(share):
        return "?"
    text = f"{share:.2g}"
    return text.removeprefix("0") if text != "0" else text


def _corners(names: list[str], size: float, turn: float) -> tuple[list[float], list[float]]:
    """Return how far rotated names extend above their starting point, and how far to the right of it."""
    angle = np.deg2rad(turn)
    boxes = [size_of(name, size) for name in names]
    rises = [float(width * np.sin(angle) + height * np.cos(angle)) for width, height in boxes]
    return rises, [float(width * np.cos(angle)) for width, _ in boxes]


def _place_keys(keys: Sequence[str], width: float) -> list[tuple[float, float]]:
    """Return the left edge and depth of each key, in rows that fit the width."""
    places: list[tuple[float, float]] = []
    x, y = EDGE, 0.0
    for words in keys:
        needed = KEY_BOX[0] + 0.06 + size_of(words, KEY)[0]
        if x > EDGE and x + needed > width - EDGE:
            x, y = EDGE, y + 0.17
        places.append((x, y))
        x += needed + 0.2
    return places


def heading(language: str) -> str:
    """Return the heading of a column."""
    return f"{language_name(language)} ({language})"


def _stack_rows(data: pd.DataFrame, y: float, row_height: float) -> tuple[dict[str, float], dict[str, float], float]:
    """Return the top edges of rows and of group titles, and the bottom edge of the last row."""
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
