"""Learning curves: the loss of every adapter over its training."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.analysis.exposure import seen_cells
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.figures.order import group_mixtures
from babelgrid.figures.style import FAINT, TWO_COLUMNS, house_style, save_figure, wrap

_PANEL_HEIGHT = 1.5
_MOST_NAMED = 8
"""Mixtures of a panel that are told apart by colour; more are drawn alike."""
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#B0609A", "#E69F00", "#3A9AD9", "#000000", "#7A5C00")
_DASHES = ("-", "--", "-.", ":")


def draw_curves(
    curves_path: str | Path, exposure_path: str | Path, *, note: str, width: float, out_stem: str | Path
) -> None:
    """Draw loss against epoch, a panel for each kind of mixture and a thin line for each seed, and save it.

    Up to eight mixtures of a panel have a colour each and a legend; of more, every line is grey and the median over
    mixtures is drawn. curves_path: learning_curves.csv. Raises `UserError` where no adapter was trained.
    """
    data = read_table(curves_path)
    if data.empty:
        raise UserError(f"{curves_path}: no adapter was trained, so there are no learning curves")
    groups = group_mixtures(data["mixture"].drop_duplicates().tolist(), seen_cells(read_table(exposure_path)))
    group_of = {name: group for group, names in groups.items() for name in names}
    data.insert(0, "group", data["mixture"].map(group_of))
    with house_style():
        figure, panels = _lay_out(list(groups), note, width)
        for axes, (group, names) in zip(panels, groups.items(), strict=True):
            axes.set_title(group)
            _draw_panel(axes, data[data["group"] == group], names)
        panels[0].set_ylim(bottom=0)
        save_figure(figure, data, out_stem)


def _lay_out(groups: list[str], note: str, width: float) -> tuple[Figure, list[Axes]]:
    columns = min(len(groups), 3 if width >= TWO_COLUMNS else 1)
    rows = -(-len(groups) // columns)
    lines = wrap(f"Training loss, a line for each seed. {note}".strip(), width - 0.16, 6)
    row_height = _PANEL_HEIGHT + 0.28
    height = 0.48 + rows * row_height + 0.26 + 0.12 * len(lines)
    figure = Figure(figsize=(width, height))
    figure.text(
        0.08 / width, 1 - 0.2 / height, "Learning curves", size=8.5 if width >= TWO_COLUMNS else 7, weight="bold"
    )
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / width, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
    panel = (width - 0.44 - 0.1 - 0.16 * (columns - 1)) / columns
    axes: list[Axes] = []
    for number in range(len(groups)):
        row, column = divmod(number, columns)
        x, y = 0.44 + column * (panel + 0.16), height - 0.48 - row * row_height - _PANEL_HEIGHT
        shared = axes[0] if axes else None
        box = (x / width, y / height, panel / width, _PANEL_HEIGHT / height)
        axes.append(figure.add_axes(box, sharex=shared, sharey=shared))
        axes[-1].tick_params(labelleft=column == 0, labelbottom=number + columns >= len(groups))
        if column == 0:
            axes[-1].set_ylabel("loss")
        if number + columns >= len(groups):
            axes[-1].set_xlabel("epoch")
    return figure, axes


def _draw_panel(axes: Axes, data: pd.DataFrame, names: list[str]) -> None:
    axes.grid(axis="y")
    is_named = len(names) <= _MOST_NAMED
    for number, name in enumerate(names):
        own = data[data["mixture"] == name]
        colour, dashes = (_PALETTE[number], _DASHES[number % 4]) if is_named else ("#999999", "-")
        for position, (_, curve) in enumerate(own.groupby("seed", sort=False)):
            label = name if is_named and position == 0 else None
            width, alpha = (0.9, 0.9) if is_named else (0.4, 0.5)
            axes.plot(curve["epoch"], curve["loss"], dashes, color=colour, linewidth=width, alpha=alpha, label=label)
    if is_named:
        axes.legend(
            loc="upper right", ncols=2 if len(names) > 4 else 1, fontsize=5.8, handlelength=1.6, columnspacing=0.8
        )
        return
    median = data.assign(epoch=data["epoch"].round(2)).groupby("epoch")["loss"].median()
    axes.plot(
        median.index.to_numpy(float), np.asarray(median, dtype=float), color="#0072B2", linewidth=1.3, label="median"
    )
    axes.legend([axes.lines[0], axes.lines[-1]], [f"each of {len(names)} mixtures", "median"], loc="upper right")
