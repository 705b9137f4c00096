"""Draw the intervention plot: effect of the base's exposure on the score by language, one panel per mixture."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.figures.labels import boxes_between, label_points, points_of, spread_apart
from babelgrid.figures.panels import Panels, lay_out_panels
from babelgrid.figures.style import METRIC_NAMES, SEEN_COLOUR, house_style, save_figure, signed

_DOT = 2.4
"""Smallest distance between neighbouring dots, in points."""
_COLUMNS = ["mixture", "test_language", "log10_ratio", "difference", "low", "high"]


def draw_intervention(
    cells_path: str | Path,
    slopes_path: str | Path,
    *,
    view: str,
    metric: Metric,
    against: str,
    note: str,
    width: float,
    out_stem: str | Path,
) -> None:
    """Draw each language's difference in score between two bases against the ratio of its exposure, and save it.

    cells_path, slopes_path: intervention.csv and intervention_slopes.csv. against: the other experiment's name. The
    title of a panel has the slope with its 95% interval and the number of languages. Languages of unknown exposure are
    left out. Raises `UserError` if the view has no cell that was scored on both bases.
    """
    cells = read_table(cells_path).query("view == @view").dropna(subset=["difference", "log10_ratio"])
    if cells.empty:
        raise UserError(f"{cells_path}: no cell of the view {view!r} was scored on both bases")
    slopes = read_table(slopes_path).query("view == @view").set_index("mixture")
    data = cells[_COLUMNS].reset_index(drop=True)
    mixtures = data["mixture"].drop_duplicates().tolist()
    with house_style(data, view, note, against):
        panels = lay_out_panels(
            [(str(mixture), _describe_slope(slopes, mixture)) for mixture in mixtures],
            points=int(data.groupby("mixture").size().max()),
            title=f"Effect of exposure on {METRIC_NAMES[metric]}: {view}",
            foot=_foot(against, note),
            width=width,
            keys=0.0,
        )
        for axes, mixture in zip(panels.axes, mixtures, strict=True):
            _frame(axes, data)
            _draw_panel(axes, data[data["mixture"] == mixture])
        _name_axes(panels)
        save_figure(panels.figure, data, out_stem)


def _name_axes(panels: Panels) -> None:
    positions = [axes.get_position() for axes in panels.axes]
    lowest, highest = min(one.y0 for one in positions), max(one.y1 for one in positions)
    width, height = panels.figure.get_size_inches()
    across = "log10 of the language's pre-training tokens, this base over the other"
    panels.figure.text(0.5, lowest - 0.34 / height, across, ha="center", size=6)
    up = "difference in score"
    panels.figure.text(0.09 / width, (lowest + highest) / 2, up, rotation=90, va="center", size=7)


def _foot(against: str, note: str) -> str:
    return (
        f"Each dot is a test language: its score here minus that of the same cell on the base of {against}, with "
        f"the same posts and seeds; bars: 95% intervals over posts and seeds. Slope: per tenfold exposure, with a 95% "
        f"interval that also resamples languages; n: number of languages. {note}"
    ).strip()


def _describe_slope(slopes: pd.DataFrame, mixture: str) -> str:
    fitted = slopes[slopes.index == mixture].dropna(subset="slope")
    if fitted.empty:
        return "too few languages"
    slope, low, high, languages = fitted[["slope", "low", "high", "languages"]].to_numpy(float)[0]
    return f"{signed(slope)} [{signed(low)}, {signed(high)}], n = {languages:.0f}"


def _frame(axes: Axes, data: pd.DataFrame) -> None:
    ratio, low, high = data["log10_ratio"], data["low"].min(), data["high"].max()
    across, up = 0.12 * max(float(ratio.max() - ratio.min()), 0.1), 0.06 * max(float(high - low), 0.01)
    axes.set(xlim=(ratio.min() - across, ratio.max() + across), ylim=(low - up, high + up))
    axes.axhline(0, color="#999999", linewidth=0.7, zorder=1)
    axes.axvline(0, color="#cccccc", linewidth=0.7, zorder=1)
    axes.grid(axis="y")
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: signed(value))
    axes.yaxis.set_major_formatter(lambda value, _: signed(value, 1))


def _draw_panel(axes: Axes, points: pd.DataFrame) -> None:
    left, right = axes.get_xlim()
    point = (right - left) / (axes.get_window_extent().width * 72 / axes.figure.dpi)
    x = spread_apart(points["log10_ratio"].to_numpy(float), _DOT * point)
    y, low, high = (points[name].to_numpy(float) for name in ("difference", "low", "high"))
    axes.vlines(x, low, high, color=SEEN_COLOUR, linewidth=0.6, alpha=0.45, zorder=2)
    axes.plot(x, y, "o", color=SEEN_COLOUR, markersize=3.4, markeredgewidth=0.7, zorder=3)
    bars = boxes_between(points_of(axes, x, low), points_of(axes, x, high), margin=(0.4, 0))
    obstacles = np.vstack([boxes_between(points_of(axes, x, y), margin=(2.4, 2.4)), bars])
    label_points(axes, np.column_stack([x, y]), points["test_language"].tolist(), ["#222222"] * len(points), obstacles)
