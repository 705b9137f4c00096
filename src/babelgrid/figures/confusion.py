"""Draw confusion by language: gold against predicted classes of one mixture, one panel per test language."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from babelgrid.analysis.scores.confusions import NO_CLASS
from babelgrid.display.order import language_name
from babelgrid.errors import UserError
from babelgrid.figures.fonts import printable
from babelgrid.figures.measure import tallest, widest, wrap_text
from babelgrid.figures.page import EDGE, lay_out_page, place
from babelgrid.figures.style import FAINT, house_style, save_figure
from babelgrid.runtime.files import read_parquet

_GAP = 0.12
_SMALLEST = 0.11
"""Side of the smallest cell, in inches: a one-line name at 6 points fits beside it."""
_WIDEST_NAME = 2.2
_NUMBER = (0.19, 0.11)
"""Width and height of the smallest cell with room for its number, in inches."""


@dataclass(frozen=True)
class Layout:
    """Sizes in inches, and the names as they are drawn."""

    rows: list[str]
    columns: list[str]
    titles: list[str]
    """One title per panel."""
    across: int
    """Number of panels in a row."""
    left: float
    """Room for the row names."""
    panel: tuple[float, float]
    over: float
    """Room above a panel, for its title."""
    under: float
    """Room for the column names, below the last panel of each column."""
    are_names_level: bool
    """Whether column names fit horizontally; otherwise they are rotated by 90 degrees."""

    @property
    def width(self) -> float:
        """Return the width of the figure."""
        return self.left + self.across * (self.panel[0] + _GAP)

    @property
    def step(self) -> float:
        """Return the distance from the top of a panel to the top of the one below it."""
        return self.panel[1] + self.over + _GAP

    @property
    def body(self) -> float:
        """Return the height of all panels with their titles and names."""
        return -(-len(self.titles) // self.across) * self.step + self.under


def draw_confusion(
    confusions_path: str | Path, *, view: str, mixture: str, note: str, width: float, out_stem: str | Path
) -> None:
    """Draw the confusion matrix of one mixture in every test language, and save it with its data.

    Rows are gold classes and columns are predicted classes; colours and numbers are percent of a row. If any answers
    are in no class of the view, they have a column `none`. confusions_path: as written by `analysis.confusions`.
    Raises `UserError` if the table has no rows for that view and mixture.
    """
    table = read_parquet(confusions_path, ["view", "mixture", "test_language", "gold", "predicted", "n"])
    data = table[(table["view"] == view) & (table["mixture"] == mixture)].reset_index(drop=True)
    if data.empty:
        raise UserError(f"{confusions_path}: no results of the mixture {mixture!r} in the view {view!r}")
    whole = data.groupby(["test_language", "gold"])["n"].transform("sum")
    data["percent"] = 100 * data["n"] / whole.where(whole > 0)
    title = f"Confusion by language, trained on {mixture}: {view}"
    with house_style(data, title, note):
        save_figure(_draw(data, title, note, width), data, out_stem)


def _draw(data: pd.DataFrame, title: str, note: str, width: float) -> Figure:
    classes = data["gold"].drop_duplicates().tolist()
    shown = [*classes, *([NO_CLASS] if (data["predicted"] == NO_CLASS).any() else [])]
    languages = data["test_language"].drop_duplicates().tolist()
    layout = _lay_out(classes, [name or "none" for name in shown], languages, width)
    foot = f"Rows: gold class; columns: predicted class; {_explain(layout)} {note}"
    page = lay_out_page(printable(title), foot, layout.width)
    figure = page.figure(layout.body)
    for number, language in enumerate(languages):
        row, column = divmod(number, layout.across)
        left, top = layout.left + column * (layout.panel[0] + _GAP), page.head + row * layout.step + layout.over
        axes = place(figure, left, top, *layout.panel)
        own = data[data["test_language"] == language]
        matrix = own.pivot_table(index="gold", columns="predicted", values="percent", sort=False, dropna=False)
        percent = matrix.reindex(index=classes, columns=shown)
        # The table has rows for answers in no class only if there are any.
        _draw_panel(axes, percent.where(percent.isna().all(axis=1), percent.fillna(0.0)).to_numpy(float), layout)
        y = 1 + 0.04 / layout.panel[1]
        axes.text(0, y, layout.titles[number], size=6.3, va="bottom", transform=axes.transAxes)
        axes.set_yticks(range(len(classes)), layout.rows if column == 0 else [""] * len(classes), size=6)
        names = layout.columns if number + layout.across >= len(languages) else []
        turn = 0 if layout.are_names_level else 90
        axes.set_xticks(range(len(names)), names, size=6, rotation=turn, va="top", ha="center")
    return figure


def _lay_out(classes: list[str], shown: list[str], languages: list[str], width: float) -> Layout:
    """Place the panels in rows that fit the width; widen the figure if a single panel does not fit."""
    names = [wrap_text(printable(name), _WIDEST_NAME, 6) for name in shown]
    rows = names[: len(classes)]
    left = EDGE + widest(rows, 6) + 0.06
    # Column names may be rotated by 90 degrees, so a column is at least as wide as its name is high.
    smallest = max(_SMALLEST, tallest(names, 6) + 0.01)
    room = width - left
    across = min(len(languages), 7, int(room / (max(0.21, smallest) * len(shown) + _GAP)))
    if across:
        panel = room / across - _GAP
        # With many languages, low rows keep the figure on one page.
        row = 0.3 if len(languages) <= 7 else 0.17
        tall = max(min(panel, row * len(classes)), smallest * len(classes))
    else:
        across = max(1, round(len(languages) ** 0.5)) if smallest * len(shown) + _GAP > room else 1
        panel = max(room - _GAP, smallest * len(shown)) if across == 1 else smallest * len(shown)
        tall = max(smallest, min(panel / len(shown), 0.3)) * len(classes)
    is_level = widest(names, 6) + 0.04 < panel / len(shown)
    titles = [wrap_text(f"{language_name(code)} ({code})", panel, 6.3) for code in languages]
    return Layout(
        rows=rows,
        columns=names,
        titles=titles,
        across=across,
        left=left,
        panel=(panel, tall),
        over=tallest(titles, 6.3) + 0.08,
        under=(tallest(names, 6) if is_level else widest(names, 6)) + 0.04,
        are_names_level=is_level,
    )


def _has_numbers(layout: Layout) -> bool:
    cell = (layout.panel[0] / len(layout.columns), layout.panel[1] / len(layout.rows))
    return cell[0] >= _NUMBER[0] and cell[1] >= _NUMBER[1]


def _explain(layout: Layout) -> str:
    if _has_numbers(layout):
        return "numbers: percent of the row, seeds pooled."
    return "colours: percent of the row from 0 (dark) to 100 (bright), seeds pooled; the numbers are in the CSV file."


def _draw_panel(axes: Axes, matrix: NDArray[np.float64], layout: Layout) -> None:
    axes.imshow(matrix, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=2)
    axes.set_xticks(np.arange(1, matrix.shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, matrix.shape[0]) - 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(which="minor", color="white", linewidth=0.8 if _has_numbers(layout) else 0.3)
    if not _has_numbers(layout):
        return
    for (row, column), value in np.ndenumerate(matrix):
        if np.isnan(value):
            axes.text(column, row, "\N{EN DASH}", size=6, ha="center", va="center", color=FAINT)
            continue
        red, green, blue, _ = colormaps["cividis"](value / 100)
        is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.48
        axes.text(
            column, row, f"{value:.0f}", size=6, ha="center", va="center", color="#1a1a1a" if is_light else "white"
        )
