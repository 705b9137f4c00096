"""Lay out a figure: title at the top, footnote at the bottom, and panels placed in inches."""

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.figures.measure import wrap
from babelgrid.figures.style import FAINT, TWO_COLUMNS

EDGE = 0.08
"""Margin between text and the edge of a figure, in inches."""
_TITLE_LINE, _FOOT_LINE = 0.15, 0.12


@dataclass(frozen=True)
class Page:
    """Title and footnote, broken into lines that fit the width of the figure."""

    width: float
    title: list[str]
    foot: list[str]

    @property
    def is_narrow(self) -> bool:
        """Return whether the figure is for one column of text."""
        return self.width < TWO_COLUMNS

    @property
    def head(self) -> float:
        """Return the bottom of the title, in inches from the top."""
        return 0.12 + _TITLE_LINE * len(self.title)

    @property
    def tail(self) -> float:
        """Return the top of the footnote, in inches from the bottom."""
        return 0.06 + _FOOT_LINE * len(self.foot)

    def figure(self, body: float) -> Figure:
        """Return a figure with the title and footnote, and `body` inches between them."""
        height = self.head + body + self.tail
        figure = Figure(figsize=(self.width, height))
        size = title_size(self.width)
        for number, line in enumerate(self.title):
            y = 1 - (0.2 + _TITLE_LINE * number) / height
            figure.text(EDGE / self.width, y, line, size=size, weight="bold")
        for number, line in enumerate(reversed(self.foot)):
            figure.text(EDGE / self.width, (0.08 + _FOOT_LINE * number) / height, line, size=6, color=FAINT)
        return figure


def lay_out_page(title: str, foot: str, width: float) -> Page:
    """Break a title and a footnote into lines that fit the width of a figure, in inches."""
    room = width - 2 * EDGE
    return Page(width, wrap(title, room, title_size(width), "bold"), wrap(foot.strip(), room, 6))


def title_size(width: float) -> float:
    """Return the font size of a title in points: smaller for a one-column figure."""
    return 8.5 if width >= TWO_COLUMNS else 7


def place(figure: Figure, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
    """Add a panel to a figure; lengths are in inches, from the top left corner."""
    whole, tall = figure.get_size_inches()
    return figure.add_axes((left / whole, 1 - (top + height) / tall, width / whole, height / tall), **options)
