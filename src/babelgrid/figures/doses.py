"""Draw the dose-response plot: the score in a language against the number of its posts in the mixture."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.display.order import language_name
from babelgrid.errors import UserError
from babelgrid.figures.measure import size_of, tallest, wrap_text
from babelgrid.figures.page import lay_out_page, place
from babelgrid.figures.style import METRIC_NAMES, SEEN_COLOUR, TWO_COLUMNS, decimal, house_style, save_figure

_PANEL_HEIGHT = 1.2
_LEFT, _GAP = 0.42, 0.14


def draw_doses(
    doses_path: str | Path,
    fits_path: str | Path,
    curves_path: str | Path,
    *,
    view: str,
    metric: Metric,
    note: str,
    width: float,
    out_stem: str | Path,
) -> None:
    """Draw the score in the added language against its dose, one panel per base mixture and added language.

    doses_path, fits_path, curves_path: doses.csv, dose_fits.csv and dose_curves.csv. A panel shows the points with
    their intervals, the fitted saturating curve with its band and, dashed, 95% of the score of the adapter trained on
    that language alone. Its title ends with the dose at which the curve reaches that score, and the interval of the
    dose. The x axis is linear from 0 to the smallest dose and logarithmic above.
    Raises `UserError` if the view has no doses.
    """
    doses, fits, curves = (read_table(path) for path in (doses_path, fits_path, curves_path))
    data = doses[doses["view"] == view].dropna(subset="score").merge(fits, on=["view", "base", "language"], how="left")
    if data.empty:
        raise UserError(f"{doses_path}: the view {view!r} has no doses to draw; add mixtures.doses")
    with house_style(data, view, note):
        title = f"{METRIC_NAMES[metric]} by dose of a language: {view}"
        figure, panels = _lay_out(data, title, METRIC_NAMES[metric], note, width)
        groups = data.groupby(["base", "language"], sort=False)
        for axes, ((base, language), points) in zip(panels, groups, strict=True):
            is_own = (curves["view"] == view) & (curves["base"] == base) & (curves["language"] == language)
            _draw_panel(axes, points, curves[is_own])
        save_figure(figure, data, out_stem)


def _lay_out(data: pd.DataFrame, title: str, metric: str, note: str, width: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel per base and language, at most two or four in a row, with shared axes."""
    panels = len(data[["base", "language"]].drop_duplicates())
    columns = min(panels, 4 if width >= TWO_COLUMNS else 2)
    foot = (
        f"Bars: 95% intervals over posts and seeds. Line and band: fitted saturating curve with its 95% interval. "
        f"Dashed: 95% of the score of the adapter trained on that language alone; titles give the dose at which the "
        f"curve reaches it, with its 95% interval. {note}"
    )
    page = lay_out_page(title, foot, width)
    panel = (width - _LEFT - 0.1 - (columns - 1) * _GAP) / columns
    titles = [_title(points.iloc[0], panel) for _, points in data.groupby(["base", "language"], sort=False)]
    over = tallest(titles, 6) + 0.1
    row_height = over + _PANEL_HEIGHT + 0.08
    figure = page.figure(-(-panels // columns) * row_height + 0.36)
    axes: list[Axes] = []
    for number in range(panels):
        row, column = divmod(number, columns)
        left, top = _LEFT + column * (panel + _GAP), page.head + row * row_height + over
        shared = axes[0] if axes else None
        axes.append(place(figure, left, top, panel, _PANEL_HEIGHT, sharex=shared, sharey=shared))
        axes[-1].set_title(titles[number], size=6)
        axes[-1].tick_params(labelleft=column == 0, labelbottom=number + columns >= panels)
    height = figure.get_figheight()
    lowest, highest = min(one.get_position().y0 for one in axes), max(one.get_position().y1 for one in axes)
    figure.text(0.09 / width, (lowest + highest) / 2, metric, rotation=90, va="center", size=7)
    figure.text(0.5, lowest - 0.32 / height, "posts of the added language in the mixture", ha="center", size=7)
    _scale(axes[0], data)
    return figure, axes


def _title(first: pd.Series, width: float) -> str:
    name = f"{first['base']} + {language_name(first['language'])} ({first['language']})"
    return f"{wrap_text(name, width, 6)}\n{wrap_text(_size(first), width, 6)}"


def _scale(axes: Axes, data: pd.DataFrame) -> None:
    doses = sorted(data["dose"].unique())
    smallest = next((dose for dose in doses if dose > 0), 1.0)
    axes.set_xscale("symlog", linthresh=smallest, linscale=0.6)
    axes.set_xlim(-0.25 * smallest, doses[-1] * 1.25)
    shown = _apart(axes, doses)
    axes.set_xticks(shown, [f"{dose:.0f}" for dose in shown], minor=False)
    axes.set_xticks([], minor=True)
    low, high = data[["low", "score", "target"]].min().min(), data[["high", "score", "target"]].max().max()
    margin = 0.06 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_formatter(lambda value, _: decimal(value, 1))


def _apart(axes: Axes, doses: list[float]) -> list[float]:
    """Return the doses whose tick labels fit below the axis, chosen from left to right."""
    shown: list[float] = []
    end = -np.inf
    for dose in doses:
        middle = axes.transData.transform((dose, 0))[0] / axes.figure.dpi
        half = size_of(f"{dose:.0f}", 6)[0] / 2
        if middle - half > end + 0.03:
            shown.append(dose)
            end = middle + half
    return shown


def _draw_panel(axes: Axes, points: pd.DataFrame, curve: pd.DataFrame) -> None:
    axes.grid(axis="y")
    axes.axhline(points["target"].iloc[0], color="#555555", linewidth=0.8, linestyle="--", zorder=1)
    curve = curve.astype(dict.fromkeys(("dose", "score", "low", "high"), float))
    axes.fill_between(curve["dose"], curve["low"], curve["high"], color="#777777", alpha=0.18, linewidth=0)
    axes.plot(curve["dose"], curve["score"], color="#777777", linewidth=0.8)
    dose = points["dose"].to_numpy(float)
    axes.vlines(dose, points["low"], points["high"], color=SEEN_COLOUR, linewidth=0.7, alpha=0.5)
    axes.plot(dose, points["score"], "o", color=SEEN_COLOUR, markersize=3.2, markeredgewidth=0.7)


def _size(fit: pd.Series) -> str:
    """Describe the dose at which the curve reaches the target, in posts, with its interval."""
    if pd.isna(fit["target"]):
        return "no in-language adapter"
    if pd.isna(fit["size"]):
        return "too few doses for a curve"
    size, low, high = (_posts(float(fit[name])) for name in ("size", "size_low", "size_high"))
    reached = "95% never reached" if np.isinf(float(fit["size"])) else f"95% at {size}"
    return f"{reached} [{low}, {high}]"


def _posts(size: float) -> str:
    return "never" if np.isinf(size) else f"{size:.0f}"
