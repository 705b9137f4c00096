"""Draw the exposure-bias plot: score against pre-training exposure, one panel per mixture."""

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from babelgrid.analysis.exposure.shares import describe_quantity
from babelgrid.analysis.exposure.trend import Band, fit_band, spearman
from babelgrid.errors import UserError
from babelgrid.figures.labels import boxes_between, label_points, points_of, spread_apart
from babelgrid.figures.measure import size_of
from babelgrid.figures.panels import Panels, lay_out_panels
from babelgrid.figures.picture import GridTables, Picture, cells_of_base, collect_cells
from babelgrid.figures.style import (
    FAINT,
    METRIC_NAMES,
    SEEN_COLOUR,
    TWO_COLUMNS,
    UNSEEN_COLOUR,
    count_seeds,
    decimal,
    house_style,
    save_figure,
)
from babelgrid.types import Floats

_RHO = "\N{GREEK SMALL LETTER RHO}"
_DASH = "\N{EN DASH}"
_DOT = 2.2
"""Smallest distance between neighbouring dots, in points."""


@dataclass(frozen=True)
class Scale:
    """Shared x axis: log10 of exposure, with strips on the left for languages of unknown and of zero exposure."""

    strips: dict[str, float]
    """Strip name -> centre of the strip."""
    left: float
    edge: float
    """Right end of the strips, where the logarithmic axis begins."""
    right: float
    unit: float
    """Axis units per print point (1/72 inch)."""


def draw_exposure_bias(tables: GridTables, picture: Picture) -> None:
    """Draw each test language's mean score over seeds against its pre-training exposure, and save it (`save_figure`).

    Each mixture has one panel. It shows Spearman's correlation over the languages of known exposure, the number of
    those languages and, from five languages on, a linear fit on log exposure with its 95% band over languages.
    Languages of unknown exposure are in a strip on the left and enter neither the correlation nor the fit.
    """
    data = _collect(tables, picture)
    mixtures = data["mixture"].drop_duplicates().tolist()
    with house_style(data, picture.view, picture.note, describe_quantity(picture.table)):
        panels = lay_out_panels(
            [_title(data[data["mixture"] == mixture]) for mixture in mixtures],
            points=data["test_language"].nunique(),
            title=f"{METRIC_NAMES[picture.metric]} against pre-training exposure: {picture.view}",
            foot=f"{_explain(data)} {picture.note}",
            width=picture.width,
            keys=0.3 if picture.width >= TWO_COLUMNS else 0.42,
        )
        scale = _scale(data, panels.axes[0])
        low, high = data[["low", "baseline"]].min().min(), data[["high", "baseline"]].max().max()
        margin = 0.06 * (high - low)
        for axes, mixture in zip(panels.axes, mixtures, strict=True):
            axes.set(xlim=(scale.left, scale.right), ylim=(low - margin, high + margin))
            _draw_axes(axes, scale)
            _draw_panel(axes, data[data["mixture"] == mixture].reset_index(drop=True), scale)
        _draw_words(panels, picture)
        save_figure(panels.figure, data, picture.out_stem)


def _collect(tables: GridTables, picture: Picture) -> pd.DataFrame:
    data = cells_of_base(collect_cells(tables, picture))
    cells = data.dropna(subset="score").reset_index(drop=True)
    if cells.empty:
        raise UserError(
            f"{tables.cells}: no test post has a label in the view {picture.view!r}; remove the view from views"
        )
    known = cells[cells["exposure"] > 0]
    rho = {
        mixture: spearman(points["exposure"].to_numpy(), points["score"].to_numpy())
        for mixture, points in known.groupby("mixture")
    }
    return cells.assign(spearman=cells["mixture"].map(rho))


def _explain(data: pd.DataFrame) -> str:
    return (
        f"{count_seeds(data)}; bars: 95% intervals over posts and seeds. {_RHO}: Spearman's correlation over the n "
        f"languages of known exposure; band: 95%, resampling those languages. Languages of nearly equal exposure are "
        f"drawn side by side."
    )


def _scale(data: pd.DataFrame, panel: Axes) -> Scale:
    """Divide a panel's width between the strips and the logarithmic axis."""
    exposure = data.drop_duplicates("test_language")["exposure"]
    sizes = {"unknown": int(exposure.isna().sum()), "zero": int((exposure == 0).sum())}
    widths = {name: max(27.0, 7.5 * size + 6) for name, size in sizes.items() if size}
    known = np.log10(exposure[exposure > 0])
    low, high = (known.min() - 0.3, known.max() + 0.2) if len(known) else (-1.0, 0.0)
    high = max(high, low + 1)
    free = panel.get_window_extent().width * 72 / panel.figure.dpi - sum(widths.values())
    unit = (high - low) / free
    strips, edge = {}, low
    for name, width in reversed(widths.items()):
        strips[name] = edge - width * unit / 2
        edge -= width * unit
    return Scale(strips, edge, low, high, unit)


def _draw_axes(axes: Axes, scale: Scale) -> None:
    steps = (1,) if scale.right - scale.edge > 2.2 else (1, 2, 5)
    decades = range(int(np.floor(scale.edge)), int(np.ceil(scale.right)) + 1)
    values = [step * 10.0**decade for decade in decades for step in steps]
    shown = [value for value in values if scale.edge < np.log10(value) < scale.right]
    shown = _apart(shown, scale)
    axes.set_xticks([*scale.strips.values(), *np.log10(shown)], [*scale.strips, *(f"{value:g}" for value in shown)])
    axes.grid(axis="y")
    if scale.strips:
        axes.axvspan(scale.left, scale.edge, color="#f2f2f2", linewidth=0, zorder=0)
    axes.yaxis.set_major_formatter(lambda value, _: decimal(value, 1))
    for label in axes.get_xticklabels()[: len(scale.strips)]:
        label.set_color(FAINT)


def _apart(values: list[float], scale: Scale) -> list[float]:
    """Return the values whose tick labels fit below the axis without touching strip names or each other."""
    shown: list[float] = []
    inch = 72 * scale.unit
    end = max((x + size_of(name, 6)[0] / 2 * inch for name, x in scale.strips.items()), default=-np.inf)
    for value in values:
        middle, half = float(np.log10(value)), size_of(f"{value:g}", 6)[0] / 2 * inch
        if middle - half > end + 0.04 * inch and middle + half < scale.right + 0.1 * inch:
            shown.append(value)
            end = middle + half
    return shown


def _title(points: pd.DataFrame) -> tuple[str, str]:
    """Return the name of a panel and its correlation."""
    rho = float(points["spearman"].iloc[0])
    known = int((points["exposure"] > 0).sum())
    return str(points["mixture"].iloc[0]), f"{_RHO} = {decimal(rho) if np.isfinite(rho) else _DASH}, n = {known}"


def _draw_panel(axes: Axes, points: pd.DataFrame, scale: Scale) -> None:
    mixture = str(points["mixture"].iloc[0])
    known = points[points["exposure"] > 0]
    generator = np.random.default_rng(zlib.crc32(mixture.encode()))
    band = fit_band(np.log10(known["exposure"].to_numpy()), known["score"].to_numpy(), generator)
    if band:
        axes.fill_between(band.x, band.low, band.high, color="#000000", alpha=0.09, linewidth=0, zorder=1)
        axes.plot(band.x, band.line, color="#777777", linewidth=0.8, zorder=1.5)
    x = _positions(points, scale)
    _draw_points(axes, points, x)
    _draw_labels(axes, points, x, band)


def _positions(points: pd.DataFrame, scale: Scale) -> Floats:
    """Return each language's x position: strips are filled evenly, equal exposures are placed side by side."""
    exposure = points["exposure"].to_numpy()
    x = np.log10(np.where(exposure > 0, exposure, 1.0))
    is_known = exposure > 0
    x[is_known] = spread_apart(x[is_known], _DOT * scale.unit)
    for name, inside in {"unknown": np.isnan(exposure), "zero": exposure == 0}.items():
        if inside.any():
            x[inside] = spread_apart(np.full(inside.sum(), scale.strips[name]), 7.5 * scale.unit)
    return x


def _draw_points(axes: Axes, points: pd.DataFrame, x: Floats) -> None:
    score, low, high = (points[name].to_numpy() for name in ("score", "low", "high"))
    seen = points["seen"].to_numpy(bool)
    axes.vlines(
        x, low, high, colors=np.where(seen, SEEN_COLOUR, UNSEEN_COLOUR).tolist(), linewidth=0.6, alpha=0.45, zorder=2
    )
    axes.plot(x, points["baseline"], "_", color="#888888", markersize=4.5, markeredgewidth=0.8, zorder=2)
    axes.plot(x[seen], score[seen], "o", color=SEEN_COLOUR, markersize=3.4, markeredgewidth=0.7, zorder=3)
    axes.plot(
        x[~seen], score[~seen], "D", color=UNSEEN_COLOUR, mfc="white", markersize=2.9, markeredgewidth=0.7, zorder=3
    )


def _draw_labels(axes: Axes, points: pd.DataFrame, x: Floats, band: Band | None) -> None:
    """Label the points as far as there is room, keeping clear of dots, bars, baselines and the fitted line."""
    score, low, high, baseline = (points[name].to_numpy() for name in ("score", "low", "high", "baseline"))
    boxes = [
        boxes_between(points_of(axes, x, score), margin=(2.4, 2.4)),
        boxes_between(points_of(axes, x, low), points_of(axes, x, high), margin=(0.4, 0)),
        boxes_between(points_of(axes, x, baseline), margin=(2.2, 0.5)),
    ]
    if band:
        boxes.append(boxes_between(points_of(axes, band.x, band.line), margin=(1.2, 0.6)))
    obstacles = np.vstack(boxes)
    obstacles = obstacles[~np.isnan(obstacles).any(axis=1)]
    colours = [SEEN_COLOUR if inside else UNSEEN_COLOUR for inside in points["seen"]]
    label_points(axes, np.column_stack([x, score]), points["test_language"].tolist(), colours, obstacles)


def _draw_words(panels: Panels, picture: Picture) -> None:
    figure = panels.figure
    width, height = figure.get_size_inches()
    is_narrow = width < TWO_COLUMNS
    metric = METRIC_NAMES[picture.metric]
    handles = [
        Line2D([], [], marker="o", color=SEEN_COLOUR, linestyle="", markersize=3.4),
        Line2D([], [], marker="D", color=UNSEEN_COLOUR, mfc="white", linestyle="", markersize=2.9, markeredgewidth=0.7),
        Line2D([], [], marker="_", color="#888888", linestyle="", markersize=5),
        Patch(color="#000000", alpha=0.09),
    ]
    words = ["language in the mixture", "language not in it", "its better baseline", "linear fit and 95% band"]
    figure.legend(
        handles,
        words,
        loc="upper left",
        bbox_to_anchor=(0.02 / width, 1 - (panels.head + 0.02) / height),
        ncols=2 if is_narrow else 4,
        borderaxespad=0,
        handletextpad=0.4,
    )
    places = [axes.get_position() for axes in panels.axes]
    lowest, highest = min(place.y0 for place in places), max(place.y1 for place in places)
    quantity = f"{describe_quantity(picture.table)} (log scale)"
    figure.text(0.5, lowest - 0.34 / height, quantity, ha="center", size=6 if is_narrow else 7)
    figure.text(0.09 / width, (lowest + highest) / 2, metric, rotation=90, va="center", size=7)
