"""The dose-response plot: the score in a language against the number of its posts in the mixture."""

import re

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.errors import UserError
from babelgrid.figures.order import language_name
from babelgrid.figures.picture import GridTables, Picture, collect_cells
from babelgrid.figures.style import (
    FAINT,
    METRIC_NAMES,
    SEEN_COLOUR,
    TWO_COLUMNS,
    count_seeds,
    decimal,
    house_style,
    save_figure,
    wrap,
)

DOSE = re.compile(r"(?P<base>.+)\+(?P<language>[^+@]+)@(?P<dose>\d+)")
"""A mixture with a dose, such as `en+hu@25`: 25 posts of Hungarian, the others as in the mixture before the plus."""
_PANEL_HEIGHT = 1.25


def draw_doses(tables: GridTables, picture: Picture) -> None:
    """Draw the score in the added language against its dose, a panel for each base mixture and added language.

    A dose of 0 is the base mixture. Dashed: the adapter trained on that language alone, where the grid has one; dotted:
    the better baseline of the base mixture there. The axis is linear from 0 to the smallest dose and logarithmic above.
    Raises `UserError` where the grid has no doses.
    """
    cells = collect_cells(tables, picture)
    data = dose_points(cells)
    if data.empty:
        raise UserError(f"{tables.cells}: there are no doses to draw; add mixtures.doses")
    own = cells[cells["mixture"] == cells["test_language"]].set_index("test_language")["score"]
    data = data.assign(in_language=data["language"].map(own))
    with house_style():
        figure, panels = _lay_out(data, picture)
        for axes, ((base, language), points) in zip(
            panels, data.groupby(["base", "language"], sort=False), strict=True
        ):
            _draw_panel(axes, points, f"{base} + {language_name(str(language))} ({language})")
        save_figure(figure, data, picture.out_stem)


def dose_points(cells: pd.DataFrame) -> pd.DataFrame:
    """Return base, language, dose, mixture, seeds, score, low, high, ranked and baseline of every dose.

    A series begins with its base, dose 0. cells: as `picture.collect_cells` returns them.
    """
    named = cells["mixture"].str.extract(rf"^{DOSE.pattern}$")
    dosed = cells.assign(base=named["base"], language=named["language"], dose=named["dose"].astype(float))
    dosed = dosed[dosed["test_language"] == dosed["language"]]
    series = dosed[["base", "language"]].drop_duplicates()
    start = series.merge(cells, left_on=["base", "language"], right_on=["mixture", "test_language"]).assign(dose=0.0)
    columns = ["base", "language", "dose", "mixture", "seeds", "score", "low", "high", "ranked", "baseline"]
    points = pd.concat([start, dosed])[columns].dropna(subset="score")
    order = {pair: number for number, pair in enumerate(series.itertuples(index=False, name=None))}
    points["place"] = [order[pair] for pair in zip(points["base"], points["language"], strict=True)]
    return points.sort_values(["place", "dose"], kind="stable").drop(columns="place").reset_index(drop=True)


def _lay_out(data: pd.DataFrame, picture: Picture) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel for each base and language, at most two or four in a row, on the same axes."""
    panels = len(data[["base", "language"]].drop_duplicates())
    columns = min(panels, 4 if picture.width >= TWO_COLUMNS else 2)
    rows = -(-panels // columns)
    foot = (
        f"{count_seeds(data)}; bars: 95% intervals over posts and seeds. Dashed: trained on that language alone. "
        f"Dotted: better baseline of the mixture without the dose. {picture.note}"
    )
    lines = wrap(foot.strip(), picture.width - 0.16, 6)
    bottom = 0.42 + 0.12 * len(lines)
    height = 0.5 + rows * (_PANEL_HEIGHT + 0.3) + bottom - 0.1
    left, gap = 0.42, 0.14
    width = (picture.width - left - 0.1 - (columns - 1) * gap) / columns
    figure = Figure(figsize=(picture.width, height))
    axes: list[Axes] = []
    for number in range(panels):
        row, column = divmod(number, columns)
        y = height - 0.5 - row * (_PANEL_HEIGHT + 0.3) - _PANEL_HEIGHT
        x = left + column * (width + gap)
        box = (x / picture.width, y / height, width / picture.width, _PANEL_HEIGHT / height)
        axes.append(figure.add_axes(box, sharex=axes[0] if axes else None, sharey=axes[0] if axes else None))
        axes[-1].tick_params(labelleft=column == 0, labelbottom=number + columns >= panels)
    _write_words(figure, picture, lines, axes)
    _scale(axes[0], data)
    return figure, axes


def _write_words(figure: Figure, picture: Picture, lines: list[str], axes: list[Axes]) -> None:
    width, height = figure.get_size_inches()
    name = METRIC_NAMES[picture.metric]
    size = 8.5 if width >= TWO_COLUMNS else 7
    figure.text(
        0.08 / width, 1 - 0.2 / height, f"{name} by dose of a language: {picture.view}", size=size, weight="bold"
    )
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / width, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
    lowest, highest = min(one.get_position().y0 for one in axes), max(one.get_position().y1 for one in axes)
    figure.text(0.09 / width, (lowest + highest) / 2, name, rotation=90, va="center", size=7)
    figure.text(0.5, lowest - 0.34 / height, "posts of the added language in the mixture", ha="center", size=7)


def _scale(axes: Axes, data: pd.DataFrame) -> None:
    doses = sorted(data["dose"].unique())
    smallest = next((dose for dose in doses if dose > 0), 1.0)
    axes.set_xscale("symlog", linthresh=smallest, linscale=0.6)
    shown = doses if len(doses) <= 6 else [doses[0], *doses[1 :: max(1, len(doses) // 5)]]
    axes.set_xticks(shown, [f"{dose:.0f}" for dose in shown], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(-0.25 * smallest, doses[-1] * 1.25)
    low, high = data[["low", "baseline", "in_language", "score"]].min().min(), data[["high", "in_language"]].max().max()
    margin = 0.06 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_formatter(lambda value, _: decimal(value, 1))


def _draw_panel(axes: Axes, points: pd.DataFrame, title: str) -> None:
    axes.set_title(title, size=6.5)
    axes.grid(axis="y")
    own, baseline = float(points["in_language"].iloc[0]), float(points["baseline"].iloc[0])
    axes.axhline(own, color="#555555", linewidth=0.8, linestyle="--", zorder=1)
    axes.axhline(baseline, color="#888888", linewidth=0.8, linestyle=":", zorder=1)
    axes.vlines(points["dose"], points["low"], points["high"], color=SEEN_COLOUR, linewidth=0.7, alpha=0.5)
    axes.plot(points["dose"], points["score"], "-", color=SEEN_COLOUR, linewidth=1)
    for ranked, fill in ((True, SEEN_COLOUR), (False, "white")):
        some = points[points["ranked"] == ranked]
        axes.plot(some["dose"], some["score"], "o", color=SEEN_COLOUR, mfc=fill, markersize=3.2, markeredgewidth=0.7)
