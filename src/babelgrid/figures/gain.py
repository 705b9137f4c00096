"""The gain plot: what fine-tuning adds to the untuned base, against the fine-tuning tokens of that language."""

import zlib

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.figures.labels import boxes_between, label_points, points_of
from babelgrid.figures.picture import UNTUNED, GridTables, Picture, collect_cells
from babelgrid.figures.style import (
    FAINT,
    METRIC_NAMES,
    TWO_COLUMNS,
    count_seeds,
    decimal,
    house_style,
    save_figure,
    wrap,
)

_MOST_COLOURS = 9
_MOST_LABELS = 45
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#B0609A", "#E69F00", "#3A9AD9", "#000000", "#7A5C00", "#7F7F7F")
_MARKERS = ("o", "D", "s", "^", "v", "P", "X", "<", ">")


def draw_gain(tables: GridTables, picture: Picture) -> None:
    """Draw score minus the untuned base's score in that language, and save it with its data (`save_figure`).

    First panel: languages that the mixture does not hold, so no fine-tuning token of theirs was seen. Second: languages
    that it holds, against their post tokens seen over all epochs (log scale). A colour for each mixture, or for each
    kind of mixture where there are more than nine. In one column the panels stand one above the other.
    Raises `UserError` where the grid has no untuned base to compare with.
    """
    data = _collect(tables, picture)
    looks = {name: (_PALETTE[i], _MARKERS[i]) for i, name in enumerate(data["series"].drop_duplicates())}
    title = f"{METRIC_NAMES[picture.metric]} gained by fine-tuning: {picture.view}"
    with house_style():
        figure, unseen, seen = _lay_out(title, f"{_explain(data)} {picture.note}".strip(), picture.width)
        _draw_unseen(unseen, data[~data["seen"]], looks)
        _draw_seen(seen, data[data["seen"]], looks)
        unseen.set_ylabel(f"{METRIC_NAMES[picture.metric]} gained over the untuned base")
        save_figure(figure, data, picture.out_stem)


def _lay_out(title: str, foot: str, width: float) -> tuple[Figure, Axes, Axes]:
    """Make a figure with its title and foot, and two panels: side by side, or one above the other in one column."""
    is_narrow = width < TWO_COLUMNS
    lines = wrap(foot, width - 0.16, 6)
    height = 3.75 + 0.12 * len(lines) + (3.5 if is_narrow else 0)
    bottom, tall = (0.95 + 0.12 * len(lines) + (0.35 if is_narrow else 0)) / height, 2.4 / height
    figure = Figure(figsize=(width, height))
    if is_narrow:
        unseen = figure.add_axes((0.14, bottom + 3.15 / height, 0.84, tall))
        seen = figure.add_axes((0.14, bottom, 0.84, tall), sharey=unseen)
    else:
        unseen = figure.add_axes((0.07, bottom, 0.41, tall))
        seen = figure.add_axes((0.52, bottom, 0.465, tall), sharey=unseen)
        seen.tick_params(labelleft=False)
    figure.text(0.084 / width, 1 - 0.2 / height, title, size=7 if is_narrow else 8.5, weight="bold")
    for number, line in enumerate(reversed(lines)):
        figure.text(0.084 / width, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
    return figure, unseen, seen


def _collect(tables: GridTables, picture: Picture) -> pd.DataFrame:
    """Return a row for each tuned cell: group, mixture, test_language, seen, tokens_seen, score, untuned, gain…."""
    cells = collect_cells(tables, picture).dropna(subset="score").reset_index(drop=True)
    untuned = cells[cells["mixture"] == UNTUNED].set_index("test_language")["score"]
    if untuned.empty:
        raise UserError(f"{tables.cells}: a gain needs the untuned base to compare with; set mixtures.none: true")
    cells = cells[(cells["mixture"] != UNTUNED) & cells["test_language"].isin(untuned.index)]
    exposure = read_table(tables.exposure)
    tokens = exposure.set_index(["mixture", "language"])["finetune_text_tokens_seen"].rename("tokens_seen")
    columns = ["group", "mixture", "test_language", "seen", "seeds", "score"]
    data = cells[columns].join(tokens, on=["mixture", "test_language"])
    data["untuned"] = data["test_language"].map(untuned)
    data["gain"] = data["score"] - data["untuned"]
    data["series"] = data["mixture"] if data["mixture"].nunique() <= _MOST_COLOURS else data["group"]
    return data.reset_index(drop=True)


def _explain(data: pd.DataFrame) -> str:
    return f"{count_seeds(data)}, one point per mixture and test language. Tokens: of the posts alone, over all epochs."


def _draw_unseen(axes: Axes, data: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    """Draw a column of points for each series, with a bar at its median."""
    shown = [name for name in looks if (data["series"] == name).any()]
    for position, name in enumerate(shown):
        points = data[data["series"] == name]
        colour, marker = looks[name]
        places = [zlib.crc32(f"{row.mixture} {row.test_language}".encode()) / 2**32 for row in points.itertuples()]
        x = position + 0.5 * (np.array(places) - 0.5)
        alpha = 0.75 if len(points) <= 60 else 0.35
        axes.plot(x, points["gain"], marker, color=colour, markersize=3, markeredgewidth=0, alpha=alpha)
        axes.hlines(points["gain"].median(), position - 0.36, position + 0.36, color=colour, linewidth=1.4)
    axes.set_xlim(-0.6, max(len(shown), 1) - 0.4)
    axes.set_xticks(range(len(shown)), shown, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_title("languages not in the mixture (bar: median)")
    _draw_ground(axes)


def _draw_seen(axes: Axes, data: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    for name, (colour, marker) in looks.items():
        points = data[data["series"] == name]
        alpha = 0.9 if len(data) <= _MOST_LABELS else 0.5
        axes.plot(
            points["tokens_seen"],
            points["gain"],
            marker,
            color=colour,
            markersize=3.4,
            markeredgewidth=0,
            alpha=alpha,
            label=name,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.margins(x=0.08)
    axes.set_xlabel("fine-tuning tokens of that language seen (log scale)")
    axes.set_title("languages in the mixture")
    _draw_ground(axes)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.17),
        ncols=2 if axes.get_position().width > 0.6 else 5 if len(looks) > 6 else 3,
        handletextpad=0.1,
        columnspacing=0.8,
    )
    if len(data) <= _MOST_LABELS:
        places = data[["tokens_seen", "gain"]].to_numpy(float)
        dots = points_of(axes, places[:, 0], places[:, 1])
        colours = [looks[name][0] for name in data["series"]]
        label_points(axes, places, data["test_language"].tolist(), colours, boxes_between(dots, margin=(2.2, 2.2)))


def _draw_ground(axes: Axes) -> None:
    axes.grid(axis="y")
    axes.axhline(0, color="#555555", linewidth=0.7, zorder=1)
    axes.yaxis.set_major_formatter(lambda value, _: decimal(value))
