"""Draw the speed and price of each model of the grid next to those of APIs."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from babelgrid.analysis.tables import read_table
from babelgrid.figures.fonts import printable
from babelgrid.figures.measure import tallest, widest, wrap_text
from babelgrid.figures.page import EDGE, lay_out_page, place
from babelgrid.figures.style import FAINT, RIVAL_COLOUR, SEEN_COLOUR, UNSEEN_COLOUR, house_style, save_figure

_ROW = 0.16
_WIDEST_NAME = 2.2
_KEYS = 0.3
"""Height of two legend rows, in inches."""
_COLOURS = {"own": SEEN_COLOUR, "rival": RIVAL_COLOUR, "api": UNSEEN_COLOUR, "list price": FAINT}
_PRICES = {"rented": ("o", "rented"), "electricity": ("s", "electricity"), "charged": ("D", "charged by the API")}
_WIDE = 10
"""An axis is logarithmic if the largest value is at least this many times the smallest; otherwise it starts at 0."""


def draw_cost(cost_path: str | Path, *, note: str, width: float, out_stem: str | Path) -> None:
    """Draw posts per second and dollars per million posts, one row per model, and save the figure.

    cost_path: cost.csv. Models that are free or have no known price have no mark in the second panel.
    """
    data = read_table(cost_path)
    with house_style(data, note):
        figure, (speed, price) = _lay_out(data, note, width)
        rows = range(len(data))
        for row, how, posts in zip(rows, data["how"], data["posts_per_second"], strict=True):
            speed.plot([posts], [row], "o", color=_COLOURS[how], markersize=3.2)
        for column, (mark, words) in _PRICES.items():
            is_listed = data["how"] == "list price"
            for chosen, filled, label in ((~is_listed, "full", words), (is_listed, "none", "by list price")):
                known = data[column].where(chosen & (data[column] > 0))
                if known.notna().any():
                    price.plot(known, list(rows), mark, color=FAINT, markersize=3, fillstyle=filled, label=label)
        _scale(speed, data["posts_per_second"])
        _scale(price, pd.concat([data[column] for column in _PRICES]))
        if price.lines:
            price.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=6, handletextpad=0.2)
        save_figure(figure, data, out_stem)


def _scale(axes: Axes, values: "pd.Series[float]") -> None:
    known = values[values > 0]
    if len(known) and known.max() >= _WIDE * known.min():
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.08 * known.max() if len(known) else 1)
        axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")


def _lay_out(data: pd.DataFrame, note: str, width: float) -> tuple[Figure, list[Axes]]:
    devices = ", ".join(data["device"].dropna().unique())
    is_priced = data.loc[data["how"].isin(["own", "rival"]), ["rented", "electricity"]].notna().any().any()
    price = "" if is_priced else "No price is set for this hardware. "
    words = f"Own models on {devices}, timed from the loaded base to the last result. {price}{note}".strip()
    page = lay_out_page("Speed and price", printable(words), width)
    names = [wrap_text(printable(name), min(_WIDEST_NAME, 0.35 * width), 6) for name in data["model"]]
    panel = max(_ROW, tallest(names, 6) + 0.04) * len(data) + 0.1
    left, gap = EDGE + widest(names, 6) + 0.08, 0.2
    each = (width - left - gap - 0.12) / 2
    axis_words = [wrap_text(label, each, 7) for label in ("posts per second", "dollars per million posts")]
    figure = page.figure(_KEYS + panel + 0.28 + tallest(axis_words, 7))
    axes: list[Axes] = []
    for number, label in enumerate(axis_words):
        axes.append(place(figure, left + number * (each + gap), page.head + _KEYS, each, panel))
        axes[-1].set(xlabel=label, ylim=(len(data) - 0.5, -0.5))
        axes[-1].grid(axis="x")
        axes[-1].set_yticks(range(len(data)), names if not number else [""] * len(data))
    if not data[list(_PRICES)].gt(0).any().any():
        axes[1].text(
            0.5, 0.5, "no price is set\n(machine, cost)", ha="center", va="center", transform=axes[1].transAxes
        )
    return figure, axes
