"""Confusion by language: what a mixture's adapters take for what, a panel for each test language."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from babelgrid.analysis.confusions import NO_CLASS
from babelgrid.errors import UserError
from babelgrid.figures.order import language_name
from babelgrid.figures.style import FAINT, TWO_COLUMNS, house_style, save_figure, wrap
from babelgrid.files import read_parquet

_HEAD = 0.5


def draw_confusion(
    confusions_path: str | Path, *, view: str, mixture: str, note: str, width: float, out_stem: str | Path
) -> None:
    """Draw the confusion matrix of one mixture in every test language, and save it with its data.

    Rows are gold classes, columns predicted ones; colours and numbers are percent of a row. A column `none` stands for
    answers in no class of the view, where there are any. confusions_path: as `analysis.confusions` writes it.
    Raises `UserError` where the table has nothing of that view and mixture.
    """
    table = read_parquet(confusions_path, ["view", "mixture", "test_language", "gold", "predicted", "n"])
    data = table[(table["view"] == view) & (table["mixture"] == mixture)].reset_index(drop=True)
    if data.empty:
        raise UserError(f"{confusions_path}: there is nothing of the mixture {mixture!r} in the view {view!r}")
    whole = data.groupby(["test_language", "gold"])["n"].transform("sum")
    data["percent"] = 100 * data["n"] / whole.where(whole > 0)
    with house_style():
        save_figure(_draw(data, f"Confusion by language, trained on {mixture}: {view}", note, width), data, out_stem)


def _draw(data: pd.DataFrame, title: str, note: str, width: float) -> Figure:
    classes = data["gold"].drop_duplicates().tolist()
    shown = [*classes, *([NO_CLASS] if (data["predicted"] == NO_CLASS).any() else [])]
    languages = data["test_language"].drop_duplicates().tolist()
    names = 0.12 + 0.055 * max(map(len, classes))
    columns = max(1, int((width - names - 0.1) / (0.27 * len(shown) + 0.3)))
    columns = min(columns, 7, len(languages))
    rows = -(-len(languages) // columns)
    panel = (width - names - 0.1) / columns - 0.12
    tall = min(panel, 0.3 * len(classes))
    slant = 0.1 + 0.04 * max(len(name) for name in shown)
    foot = f"Rows: gold class; columns: predicted class; numbers: percent of the row, seeds together. {note}".strip()
    lines = wrap(foot, width - 0.16, 6)
    height = _HEAD + rows * (tall + 0.26) - 0.18 + slant + 0.16 + 0.12 * len(lines)
    figure = Figure(figsize=(width, height))
    figure.text(0.08 / width, 1 - 0.2 / height, title, size=8.5 if width >= TWO_COLUMNS else 7, weight="bold")
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / width, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
    for number, language in enumerate(languages):
        row, column = divmod(number, columns)
        x, y = names + column * (panel + 0.12), _HEAD + row * (tall + 0.26)
        axes = figure.add_axes((x / width, 1 - (y + tall) / height, panel / width, tall / height))
        own = data[data["test_language"] == language]
        matrix = own.pivot_table(index="gold", columns="predicted", values="percent", sort=False, dropna=False)
        percent = matrix.reindex(index=classes, columns=shown)
        # An answer in no class is in the table only where it occurs.
        _draw_panel(axes, percent.where(percent.isna().all(axis=1), percent.fillna(0.0)).to_numpy(float))
        axes.text(0, 1.06, f"{language_name(language)} ({language})", size=6.3, transform=axes.transAxes)
        axes.set_yticks(range(len(classes)), classes if column == 0 else [""] * len(classes), size=6)
        below = number + columns >= len(languages)
        names_below = [name or "none" for name in shown] if below else []
        axes.set_xticks(range(len(names_below)), names_below, size=6, rotation=40, ha="right", rotation_mode="anchor")
    return figure


def _draw_panel(axes: Axes, matrix: NDArray[np.float64]) -> None:
    axes.imshow(matrix, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=2)
    axes.set_xticks(np.arange(1, matrix.shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, matrix.shape[0]) - 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(which="minor", color="white", linewidth=0.8)
    for (row, column), value in np.ndenumerate(matrix):
        if np.isnan(value):
            axes.text(column, row, "\N{EN DASH}", size=6, ha="center", va="center", color=FAINT)
            continue
        red, green, blue, _ = colormaps["cividis"](value / 100)
        is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.48
        axes.text(
            column, row, f"{value:.0f}", size=6, ha="center", va="center", color="#1a1a1a" if is_light else "white"
        )
