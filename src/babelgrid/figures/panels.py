"""Small panels of one size in rows, under a title and above a foot."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.figures.style import FAINT, TWO_COLUMNS, wrap

_PANEL_HEIGHT = 1.55
_LEFT, _RIGHT, _GAP_X, _GAP_Y = 0.42, 0.08, 0.12, 0.24


def lay_out_panels(panels: int, foot: str, whole: float) -> tuple[Figure, list[Axes], int]:
    """Make a figure of the right height with its foot; return it, its panels, and how many stand in a row.

    panels: how many. foot: words below. whole: width of the figure in inches. Above the panels a title and a legend
    have room.
    """
    columns = min(panels, 1 if whole < TWO_COLUMNS else 3 if panels <= 12 else 4)
    rows = -(-panels // columns)
    lines = wrap(foot, whole - 0.16, 6)
    top, bottom = (0.62 if whole >= TWO_COLUMNS else 0.9), 0.36 + 0.12 * len(lines)
    height = top + rows * (_PANEL_HEIGHT + _GAP_Y) + bottom
    width = (whole - _LEFT - _RIGHT - (columns - 1) * _GAP_X) / columns
    figure = Figure(figsize=(whole, height))
    axes = []
    for number in range(panels):
        row, column = divmod(number, columns)
        left = _LEFT + column * (width + _GAP_X)
        y = height - top - row * (_PANEL_HEIGHT + _GAP_Y) - _PANEL_HEIGHT
        axes.append(figure.add_axes((left / whole, y / height, width / whole, _PANEL_HEIGHT / height)))
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / whole, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
    return figure, axes, columns
