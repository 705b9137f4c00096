"""Draw the gain plot: gain of fine-tuning over the untuned base against fine-tuning tokens of the language."""

import zlib

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.figures.labels import boxes_between, label_points, points_of
from babelgrid.figures.measure import size_of, widest, wrap_text
from babelgrid.figures.page import Page, lay_out_page, place
from babelgrid.figures.panels import grown
from babelgrid.figures.picture import UNTUNED, GridTables, Picture, cells_of_base, collect_cells
from babelgrid.figures.style import METRIC_NAMES, count_seeds, decimal, house_style, save_figure

_MAX_COLOURS = 9
_MAX_LABELS = 45
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#B0609A", "#E69F00", "#3A9AD9", "#000000", "#7A5C00", "#7F7F7F")
_TURN = 30
"""Rotation of the names below the first panel, in degrees."""
_LEFT = 0.49
_MARKERS = ("o", "D", "s", "^", "v", "P", "X", "<", ">")


def draw_gain(tables: GridTables, picture: Picture) -> None:
    """Draw score minus the untuned base's score in that language, and save it with its data (`save_figure`).

    The first panel has the languages that are not in the mixture, so fine-tuning saw none of their tokens. The second
    has the languages in the mixture, against the tokens of their posts seen over all epochs (log scale). Each mixture
    has a colour or, with more than nine mixtures, each kind of mixture. In a one-column figure the panels are stacked.
    Raises `UserError` if the grid has no untuned base to compare with.
    """
    data = _collect(tables, picture)
    looks = {name: (_PALETTE[i], _MARKERS[i]) for i, name in enumerate(data["series"].drop_duplicates())}
    title = f"{METRIC_NAMES[picture.metric]} gained by fine-tuning: {picture.view}"
    with house_style(data, title, picture.note):
        page = lay_out_page(title, f"{_explain(data)} {picture.note}", picture.width)
        names = {name: wrap_text(name, _widest_name(page), 7) for name in looks}
        figure, unseen, seen = _lay_out(page, list(names.values()), int(data["seen"].sum()))
        unseen.set_xticks(*_named(names, data[~data["seen"]]), rotation=_TURN, ha="right", rotation_mode="anchor")
        _draw_unseen(unseen, data[~data["seen"]], looks)
        _draw_seen(seen, data[data["seen"]], looks)
        _draw_keys(seen, looks, page)
        unseen.set_ylabel(f"{METRIC_NAMES[picture.metric]} gained over the untuned base")
        save_figure(figure, data, picture.out_stem)


def _lay_out(page: Page, names: list[str], points: int) -> tuple[Figure, Axes, Axes]:
    """Return a figure with two panels, side by side or (in one column) stacked, with room for names and legend.

    names: written below the first panel and in the legend. points: number of points in the second panel.
    """
    tall = grown(2.4, points if points <= _MAX_LABELS else 0)
    slant, whole = _slant(names), page.width - _LEFT
    keys = 0.42 + _rows_of_keys(names, page) * _key_height(names) + 0.06
    if page.is_narrow:
        figure = page.figure(2 * (0.26 + tall) + slant + keys)
        unseen = place(figure, _LEFT, page.head + 0.22, whole - 0.06, tall)
        seen = place(figure, _LEFT, page.head + 0.48 + tall + slant, whole - 0.06, tall, sharey=unseen)
    else:
        figure = page.figure(0.26 + tall + max(slant, keys))
        unseen = place(figure, _LEFT, page.head + 0.22, 0.44 * whole, tall)
        seen = place(figure, _LEFT + 0.49 * whole, page.head + 0.22, 0.5 * whole, tall, sharey=unseen)
        seen.tick_params(labelleft=False)
    return figure, unseen, seen


def _widest_name(page: Page) -> float:
    return 1.1 if page.is_narrow else 1.4


def _slant(names: list[str]) -> float:
    """Return the height below a panel that its rotated names need, in inches."""
    turn = np.deg2rad(_TURN)
    sizes = [size_of(name, 6) for name in names]
    return 0.1 + float(max(width * np.sin(turn) + height * np.cos(turn) for width, height in sizes))


def _rows_of_keys(names: list[str], page: Page) -> int:
    return -(-len(names) // _columns_of_keys(names, page))


def _columns_of_keys(names: list[str], page: Page) -> int:
    room = (page.width - _LEFT) * (1 if page.is_narrow else 0.5)
    return max(1, min(len(names), int(room / (widest(names, 6.5) + 0.27))))


def _key_height(names: list[str]) -> float:
    return max(size_of(name, 6.5)[1] for name in names) + 0.05


def _draw_keys(axes: Axes, looks: dict[str, tuple[str, str]], page: Page) -> None:
    """Draw the legend below the second panel and its axis label; the panel's first lines are the series."""
    # Entries are passed explicitly: matplotlib leaves out labels that begin with an underscore.
    names = [wrap_text(name, _widest_name(page), 7) for name in looks]
    axes.legend(
        list(axes.lines)[: len(looks)],
        names,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.4 * axes.figure.dpi / axes.get_window_extent().height),
        ncols=_columns_of_keys(names, page),
        handletextpad=0.1,
        columnspacing=0.8,
        borderaxespad=0,
        borderpad=0,
    )


def _named(names: dict[str, str], data: pd.DataFrame) -> tuple[range, list[str]]:
    """Return the x positions and names of the series that have points in the first panel."""
    shown = [folded for name, folded in names.items() if (data["series"] == name).any()]
    return range(len(shown)), shown


def _collect(tables: GridTables, picture: Picture) -> pd.DataFrame:
    """Return one row per fine-tuned cell: group, mixture, test_language, seen, tokens_seen, score, untuned, gain…."""
    cells = cells_of_base(collect_cells(tables, picture)).dropna(subset="score").reset_index(drop=True)
    untuned = cells[cells["mixture"] == UNTUNED].set_index("test_language")["score"]
    if untuned.empty:
        raise UserError(f"{tables.cells}: a gain plot needs the untuned base to compare with; set mixtures.none: true")
    cells = cells[(cells["mixture"] != UNTUNED) & cells["test_language"].isin(untuned.index)]
    exposure = read_table(tables.exposure)
    tokens = exposure.set_index(["mixture", "language"])["finetune_text_tokens_seen"].rename("tokens_seen")
    columns = ["group", "mixture", "test_language", "seen", "seeds", "score"]
    data = cells[columns].join(tokens, on=["mixture", "test_language"])
    data["untuned"] = data["test_language"].map(untuned)
    data["gain"] = data["score"] - data["untuned"]
    data["series"] = data["mixture"] if data["mixture"].nunique() <= _MAX_COLOURS else data["group"]
    return data.reset_index(drop=True)


def _explain(data: pd.DataFrame) -> str:
    return f"{count_seeds(data)}, one point per mixture and test language. Tokens: post text only, over all epochs."


def _draw_unseen(axes: Axes, data: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    """Draw one column of points per series, with a bar at its median."""
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
    axes.set_title("languages not in the mixture (bar: median)")
    _draw_ground(axes)


def _draw_seen(axes: Axes, data: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    for name, (colour, marker) in looks.items():
        points = data[data["series"] == name]
        alpha = 0.9 if len(data) <= _MAX_LABELS else 0.5
        axes.plot(
            points["tokens_seen"],
            points["gain"],
            marker,
            color=colour,
            markersize=3.4,
            markeredgewidth=0,
            alpha=alpha,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.margins(x=0.08)
    axes.set_xlabel("fine-tuning tokens of that language seen (log scale)")
    axes.set_title("languages in the mixture")
    _draw_ground(axes)
    if len(data) <= _MAX_LABELS:
        places = data[["tokens_seen", "gain"]].to_numpy(float)
        dots = points_of(axes, places[:, 0], places[:, 1])
        colours = [looks[name][0] for name in data["series"]]
        label_points(axes, places, data["test_language"].tolist(), colours, boxes_between(dots, margin=(2.2, 2.2)))


def _draw_ground(axes: Axes) -> None:
    axes.grid(axis="y")
    axes.axhline(0, color="#555555", linewidth=0.7, zorder=1)
    axes.yaxis.set_major_formatter(lambda value, _: decimal(value))
