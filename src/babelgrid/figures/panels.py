"""Lay out rows of small, equally sized panels between a title and a footnote."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.figures.measure import size_of, tallest, wrap_text
from babelgrid.figures.page import lay_out_page, place
from babelgrid.figures.style import FAINT, TWO_COLUMNS

_PANEL_HEIGHT = 1.55
_LEFT, _RIGHT, _GAP_X, _GAP_Y = 0.49, 0.08, 0.12, 0.09
_ROOMY = 13
"""Number of labelled points that fit in a panel of the usual size."""


@dataclass(frozen=True)
class Panels:
    """Panels in rows, with their titles."""

    figure: Figure
    axes: list[Axes]
    across: int
    """Number of panels in a row."""
    head: float
    """Bottom of the figure's title, in inches from the top."""


def grown(length: float, points: int) -> float:
    """Return `length`, increased in proportion if there are too many labelled points for it."""
    return length * max(1.0, points / _ROOMY)


def lay_out_panels(
    titles: Sequence[tuple[str, str]], *, points: int, title: str, foot: str, width: float, keys: float
) -> Panels:
    """Return a figure of the right height with its title, footnote and titled panels.

    titles: name of each panel and the text beside it; the text goes below the name if a panel is too narrow for both.
    points: largest number of labelled points in a panel; many points make panels taller. width: width of the figure.
    keys: height of a legend between the title and the panels. Lengths are in inches.
    """
    across = min(len(titles), 1 if width < TWO_COLUMNS else 3 if len(titles) <= 12 else 4)
    panel = (width - _LEFT - _RIGHT - (across - 1) * _GAP_X) / across
    page = lay_out_page(title, foot, width)
    is_split = any(size_of(name, 7, "bold")[0] + size_of(words, 6)[0] + 0.1 > panel for name, words in titles)
    names = [wrap_text(name, panel, 7, "bold") for name, _ in titles]
    below = [wrap_text(words, panel, 6) for _, words in titles] if is_split else []
    line = tallest(below, 6) + 0.04 if below else 0.0
    over, tall = tallest(names, 7, "bold") + line + 0.07, grown(_PANEL_HEIGHT, points)
    step = over + tall + _GAP_Y
    figure = page.figure(keys + -(-len(titles) // across) * step + 0.36)
    axes = []
    for number, (_, words) in enumerate(titles):
        row, column = divmod(number, across)
        top = page.head + keys + row * step + over
        axes.append(place(figure, _LEFT + column * (panel + _GAP_X), top, panel, tall))
        axes[-1].set_title(names[number], weight="bold", size=7, pad=3 + 72 * line)
        loc, text = ("left", below[number]) if is_split else ("right", words)
        x = 0 if loc == "left" else 1
        y = 1 + 3 / 72 / tall
        axes[-1].text(x, y, text, ha=loc, va="bottom", size=6, color=FAINT, transform=axes[-1].transAxes)
        axes[-1].tick_params(labelleft=column == 0, labelbottom=number + across >= len(titles))
    return Panels(figure, axes, across, page.head)
