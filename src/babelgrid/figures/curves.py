"""Draw learning curves: the training loss of every adapter."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.analysis.exposure.exposure import seen_cells
from babelgrid.analysis.tables import read_table
from babelgrid.display.order import group_mixtures
from babelgrid.errors import UserError
from babelgrid.figures.measure import wrap_text
from babelgrid.figures.page import lay_out_page, place
from babelgrid.figures.style import TWO_COLUMNS, house_style, save_figure

_PANEL_HEIGHT = 1.5
_MAX_LABELLED = 8
"""Largest number of mixtures in a panel that have a colour each; with more, all lines are grey."""
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#B0609A", "#E69F00", "#3A9AD9", "#000000", "#7A5C00")
_DASHES = ("-", "--", "-.", ":")


def draw_curves(
    curves_path: str | Path, exposure_path: str | Path, *, note: str, width: float, out_stem: str | Path
) -> None:
    """Draw loss against epoch, one panel per kind of mixture and a thin line per seed, and save the figure.

    Up to eight mixtures in a panel have a colour each and a legend. With more, every line is grey and the median over
    mixtures is drawn. curves_path: learning_curves.csv. Raises `UserError` if no adapter was trained.
    """
    data = read_table(curves_path)
    if data.empty:
        raise UserError(f"{curves_path}: no adapter was trained, so there are no learning curves")
    groups = group_mixtures(data["mixture"].drop_duplicates().tolist(), seen_cells(read_table(exposure_path)))
    group_of = {name: group for group, names in groups.items() for name in names}
    data.insert(0, "group", data["mixture"].map(group_of))
    with house_style(data, note):
        figure, panels = _lay_out(list(groups), note, width)
        for axes, (group, names) in zip(panels, groups.items(), strict=True):
            axes.set_title(group)
            _draw_panel(axes, data[data["group"] == group], names)
        panels[0].set_ylim(bottom=0)
        save_figure(figure, data, out_stem)


def _lay_out(groups: list[str], note: str, width: float) -> tuple[Figure, list[Axes]]:
    columns = min(len(groups), 3 if width >= TWO_COLUMNS else 1)
    rows = -(-len(groups) // columns)
    page = lay_out_page("Learning curves", f"Training loss, one line per seed. {note}", width)
    row_height = _PANEL_HEIGHT + 0.28
    figure = page.figure(0.2 + rows * row_height + 0.2)
    panel = (width - 0.44 - 0.1 - 0.16 * (columns - 1)) / columns
    axes: list[Axes] = []
    for number in range(len(groups)):
        row, column = divmod(number, columns)
        shared = axes[0] if axes else None
        left, top = 0.44 + column * (panel + 0.16), page.head + 0.2 + row * row_height
        axes.append(place(figure, left, top, panel, _PANEL_HEIGHT, sharex=shared, sharey=shared))
        axes[-1].tick_params(labelleft=column == 0, labelbottom=number + columns >= len(groups))
        if column == 0:
            axes[-1].set_ylabel("loss")
        if number + columns >= len(groups):
            axes[-1].set_xlabel("epoch")
    return figure, axes


def _draw_panel(axes: Axes, data: pd.DataFrame, names: list[str]) -> None:
    axes.grid(axis="y")
    is_named = len(names) <= _MAX_LABELLED
    width_of_panel = axes.get_window_extent().width / axes.figure.dpi
    columns = 2 if len(names) > 4 else 1
    room = width_of_panel / columns - 0.4
    firsts = []
    for number, name in enumerate(names):
        own = data[data["mixture"] == name]
        colour, dashes = (_PALETTE[number], _DASHES[number % 4]) if is_named else ("#999999", "-")
        for position, (_, curve) in enumerate(own.groupby("seed", sort=False)):
            width, alpha = (0.9, 0.9) if is_named else (0.4, 0.5)
            [line] = axes.plot(curve["epoch"], curve["loss"], dashes, color=colour, linewidth=width, alpha=alpha)
            if position == 0:
                firsts.append(line)
    if is_named:
        # Lines and names are passed explicitly: matplotlib leaves out labels that begin with an underscore.
        axes.legend(
            firsts,
            [wrap_text(name, room, 6) for name in names],
            loc="upper right",
            ncols=columns,
            fontsize=6,
            handlelength=1.6,
            columnspacing=0.8,
        )
        return
    median = data.assign(epoch=data["epoch"].round(2)).groupby("epoch")["loss"].median()
    axes.plot(
        median.index.to_numpy(float), np.asarray(median, dtype=float), color="#0072B2", linewidth=1.3, label="median"
    )
    axes.legend([axes.lines[0], axes.lines[-1]], [f"each of {len(names)} mixtures", "median"], loc="upper right")
