"""The gain plot: what fine-tuning adds to the untuned base, against the fine-tuning tokens of that language."""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.analysis.exposure import seen_cells
from babelgrid.analysis.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer import scored_cells_of_view
from babelgrid.errors import UserError
from babelgrid.figures.labels import boxes_between, label_points, points_of
from babelgrid.figures.order import group_mixtures
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

UNTUNED = "none"

_MOST_COLOURS = 9
_MOST_LABELS = 45
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#B0609A", "#E69F00", "#3A9AD9", "#000000", "#7A5C00", "#7F7F7F")
_MARKERS = ("o", "D", "s", "^", "v", "P", "X", "<", ">")


def draw_gain(
    cells_path: str | Path,
    exposure_path: str | Path,
    *,
    view: str,
    metric: Metric,
    note: str,
    out_stem: str | Path,
) -> None:
    """Draw score minus the untuned base's score in that language, and save it with its data (`save_figure`).

    Left: languages that the mixture does not hold, so no fine-tuning token of theirs was seen. Right: languages that
    it holds, against their post tokens seen over all epochs (log scale). A colour for each mixture, or for each kind of
    mixture where there are more than nine. note: a sentence for the foot of the figure, or an empty string.
    Raises `UserError` where the grid has no untuned base to compare with.
    """
    data = _collect(cells_path, exposure_path, view, metric)
    looks = {name: (_PALETTE[i], _MARKERS[i]) for i, name in enumerate(data["series"].drop_duplicates())}
    with house_style():
        lines = wrap(f"{_explain(data)} {note}".strip(), TWO_COLUMNS - 0.16, 6)
        height = 3.75 + 0.12 * len(lines)
        figure = Figure(figsize=(TWO_COLUMNS, height))
        bottom, tall = (0.95 + 0.12 * len(lines)) / height, 2.4 / height
        unseen = figure.add_axes((0.07, bottom, 0.41, tall))
        seen = figure.add_axes((0.52, bottom, 0.465, tall), sharey=unseen)
        _draw_unseen(unseen, data[~data["seen"]], looks)
        _draw_seen(seen, data[data["seen"]], looks)
        unseen.set_ylabel(f"{METRIC_NAMES[metric]} gained over the untuned base")
        figure.text(
            0.012, 1 - 0.2 / height, f"{METRIC_NAMES[metric]} gained by fine-tuning: {view}", size=8.5, weight="bold"
        )
        for number, line in enumerate(reversed(lines)):
            figure.text(0.012, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
        save_figure(figure, data, out_stem)


def _collect(cells_path: str | Path, exposure_path: str | Path, view: str, metric: Metric) -> pd.DataFrame:
    """Return a row for each tuned cell: group, mixture, test_language, seen, tokens_seen, score, untuned, gain…."""
    cells = scored_cells_of_view(cells_path, view, metric)
    untuned = cells[cells["mixture"] == UNTUNED].set_index("test_language")["score"]
    if untuned.empty:
        raise UserError(f"{cells_path}: a gain needs the untuned base to compare with; set mixtures.none: true")
    cells = cells[(cells["mixture"] != UNTUNED) & cells["test_language"].isin(untuned.index)]
    exposure = read_table(exposure_path)
    seen = seen_cells(exposure)
    tokens = exposure.set_index(["mixture", "language"])["finetune_text_tokens_seen"].rename("tokens_seen")
    data = cells[["mixture", "test_language", "seeds", "score"]].join(tokens, on=["mixture", "test_language"])
    data["seen"] = [pair in seen for pair in zip(data["mixture"], data["test_language"], strict=True)]
    data["untuned"] = data["test_language"].map(untuned)
    data["gain"] = data["score"] - data["untuned"]
    groups = group_mixtures(data["mixture"].drop_duplicates().tolist(), seen)
    names = [name for members in groups.values() for name in members]
    data.insert(0, "group", data["mixture"].map({name: group for group, members in groups.items() for name in members}))
    data["series"] = data["mixture"] if len(names) <= _MOST_COLOURS else data["group"]
    return data.sort_values("mixture", key=lambda column: column.map(names.index), kind="stable", ignore_index=True)


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
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.margins(x=0.08)
    axes.tick_params(labelleft=False)
    axes.set_xlabel("fine-tuning tokens of that language seen (log scale)")
    axes.set_title("languages in the mixture")
    _draw_ground(axes)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.17),
        ncols=5 if len(looks) > 6 else 3,
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
