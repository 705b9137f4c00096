"""Speed and price of each model of the grid, beside an API's."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.analysis.tables import read_table
from babelgrid.figures.style import FAINT, SEEN_COLOUR, UNSEEN_COLOUR, house_style, save_figure, wrap

_ROW = 0.16
_COLOURS = {"own": SEEN_COLOUR, "api": UNSEEN_COLOUR, "list price": FAINT}
_PRICES = {"rented": ("o", "rented"), "electricity": ("s", "electricity"), "charged": ("D", "charged by the API")}
_WIDE = 10
"""From this ratio of the largest to the smallest on, an axis is logarithmic; else it begins at zero."""


def draw_cost(cost_path: str | Path, *, note: str, width: float, out_stem: str | Path) -> None:
    """Draw posts per second and dollars per million posts, a row for each model, and save it.

    cost_path: cost.csv. A model without a known price has no mark in the second panel; free ones neither.
    """
    data = read_table(cost_path)
    with house_style():
        figure, (speed, price) = _lay_out(data, note, width)
        rows = range(len(data))
        for row, how, posts in zip(rows, data["how"], data["posts_per_second"], strict=True):
            speed.plot([posts], [row], "o", color=_COLOURS[how], markersize=3.2)
        for column, (mark, words) in _PRICES.items():
            is_listed = data["how"] == "list price"
            for chosen, filled, label in ((~is_listed, "full", words), (is_listed, "none", "reckoned by list price")):
                known = data[column].where(chosen & (data[column] > 0))
                if known.notna().any():
                    price.plot(known, list(rows), mark, color=FAINT, markersize=3, fillstyle=filled, label=label)
        _scale(speed, data["posts_per_second"])
        _scale(price, pd.concat([data[column] for column in _PRICES]))
        if price.lines:
            price.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=5.8, handletextpad=0.2)
        save_figure(figure, data, out_stem)


def _scale(axes: Axes, values: "pd.Series[float]") -> None:
    known = values[values > 0]
    if len(known) and known.max() >= _WIDE * known.min():
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1.08 * known.max() if len(known) else 1)


def _lay_out(data: pd.DataFrame, note: str, width: float) -> tuple[Figure, list[Axes]]:
    devices = ", ".join(data["device"].dropna().unique())
    is_priced = data.loc[data["how"] == "own", ["rented", "electricity"]].notna().any().any()
    price = "" if is_priced else "No price of this hardware is set. "
    words = f"Own models on {devices}, from the loaded base to the last result. {price}{note}".strip()
    lines = wrap(words, width - 0.16, 6)
    panel, below = _ROW * len(data) + 0.1, 0.5 + 0.12 * len(lines)
    height = 0.55 + panel + below
    figure = Figure(figsize=(width, height))
    figure.text(0.08 / width, 1 - 0.2 / height, "Speed and price", size=8.5, weight="bold")
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / width, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
    left, gap = 1.25, 0.2
    each = (width - left - gap - 0.12) / 2
    axes: list[Axes] = []
    for number, label in enumerate(["posts per second", "dollars per million posts"]):
        box = ((left + number * (each + gap)) / width, below / height, each / width, panel / height)
        axes.append(figure.add_axes(box))
        axes[-1].set(xlabel=label, ylim=(len(data) - 0.5, -0.5))
        axes[-1].grid(axis="x")
        axes[-1].set_yticks(range(len(data)), data["model"].tolist() if not number else [""] * len(data))
    if not data[list(_PRICES)].gt(0).any().any():
        axes[1].text(
            0.5, 0.5, "no price is set\n(machine, cost)", ha="center", va="center", transform=axes[1].transAxes
        )
    return figure, axes
