"""Draw transfer matrices: scores, gaps to the in-language adapter, gains over the untuned base, clusters."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from babelgrid.analysis.exposure.shares import describe_quantity
from babelgrid.analysis.tables import read_table
from babelgrid.display.order import order_clusters
from babelgrid.errors import UserError
from babelgrid.figures.matrix_layout import (
    HEAD,
    HEAD_LINE,
    KEY,
    KEY_BOX,
    NAME,
    SHARE,
    TITLE_LINE,
    TITLE_ROW,
    Layout,
    heading,
    lay_out,
    write_share,
)
from babelgrid.figures.page import EDGE, title_size
from babelgrid.figures.picture import UNTUNED, GridTables, Picture, collect_cells
from babelgrid.figures.style import (
    FAINT,
    METRIC_NAMES,
    TWO_COLUMNS,
    count_seeds,
    decimal,
    house_style,
    save_figure,
    signed,
)

_INSET = 0.012
_DARK = "#1a1a1a"
_UNRANKED = "#e8e8e8"

Box = tuple[float, float, float, float]
"""Left, top, width and height, in inches from the top left corner."""


@dataclass(frozen=True)
class Variant:
    """What a matrix shows of each cell (column `value` of the data), with its texts and colours."""

    title: str
    head: str
    """The line below the title: the order of the columns."""
    foot: str
    bar: str
    """Title of the colour bar."""
    scale: ScalarMappable
    write: Callable[[float], str]


def draw_transfer_matrix(tables: GridTables, picture: Picture) -> None:
    """Draw mixtures by test languages with their mean score over seeds, and save the figure with its data.

    Columns are sorted from high to low pre-training exposure; languages of unknown exposure are set apart on the right.
    A cell is framed if its language is in the mixture. A cell with a cut corner is no better than the better of its two
    baselines. A grey cell has too few posts to be ranked.
    """
    data = collect_cells(tables, picture)
    data["value"] = data["score"]
    _draw(data, _scores(data, picture, _order_of_exposure(picture)), picture)


def draw_gap_matrix(tables: GridTables, picture: Picture) -> None:
    """Draw each score minus that of the adapter trained on the test language alone; without that adapter, a dash.

    Raises `UserError` if no test language has an adapter trained on it alone.
    """
    data = collect_cells(tables, picture)
    own = data[data["mixture"] == data["test_language"]].set_index("test_language")["score"]
    if own.empty:
        raise UserError(
            "a gap matrix needs adapters trained on single test languages to compare with; add mixtures.monolingual"
        )
    data["value"] = data["score"] - data["test_language"].map(own)
    words = "Difference from the adapter trained on that language alone (its own cell is 0)."
    _draw(data, _differences(data, picture, "gap to the in-language adapter", words), picture)


def draw_gain_matrix(tables: GridTables, picture: Picture) -> None:
    """Draw each score minus that of the untuned base in the same language.

    Raises `UserError` if the grid has no untuned base.
    """
    data = collect_cells(tables, picture)
    untuned = data[data["mixture"] == UNTUNED].set_index("test_language")["score"]
    if untuned.empty:
        raise UserError("a gain matrix needs the untuned base to compare with; set mixtures.none: true")
    data = data[data["mixture"] != UNTUNED].reset_index(drop=True)
    data["value"] = data["score"] - data["test_language"].map(untuned)
    words = "Difference from the untuned base in the same language."
    _draw(data, _differences(data, picture, "gain over the untuned base", words), picture)


def draw_clustered_matrix(tables: GridTables, picture: Picture, clusters_path: str | Path) -> None:
    """Draw the transfer matrix with rows and columns in the order of clusters.csv, where similar ones are adjacent."""
    data = collect_cells(tables, picture).assign(group="")
    clusters = read_table(clusters_path)
    rows, columns = (
        order_clusters(clusters, picture.view, axis, data[axis].drop_duplicates().tolist())
        for axis in ("mixture", "test_language")
    )
    place = pd.MultiIndex.from_product([rows, columns], names=["mixture", "test_language"])
    data = data.set_index(["mixture", "test_language"]).loc[place].reset_index()
    data["value"] = data["score"]
    head = "Rows and columns clustered by their scores: similar ones are adjacent"
    _draw(data, _scores(data, picture, head), picture)


def _order_of_exposure(picture: Picture) -> str:
    return f"Columns by {describe_quantity(picture.table)} (grey; ?: unknown)"


def _scores(data: pd.DataFrame, picture: Picture, head: str) -> Variant:
    """Scale colours to the scores, rounded out to tenths, which makes views and reruns easy to compare."""
    scores = data.loc[data["ranked"], "value"].dropna()
    low, high = (np.floor(scores.min() * 10) / 10, np.ceil(scores.max() * 10) / 10) if len(scores) else (0.0, 1.0)
    name = METRIC_NAMES[picture.metric]
    return Variant(
        title=f"{name} by mixture and test language: {picture.view}",
        head=head,
        foot="",
        bar=name,
        scale=ScalarMappable(Normalize(low, max(high, low + 0.1)), colormaps["cividis"]),
        write=decimal,
    )


def _differences(data: pd.DataFrame, picture: Picture, what: str, words: str) -> Variant:
    """Scale colours symmetrically around zero, up to the largest difference rounded up to twentieths."""
    differences = data.loc[data["ranked"], "value"].abs()
    far = max(0.05, np.ceil(differences.max() * 20) / 20) if differences.notna().any() else 0.05
    is_narrow = picture.width < TWO_COLUMNS
    return Variant(
        title=f"{METRIC_NAMES[picture.metric]}, {what}: {picture.view}",
        head=_order_of_exposure(picture),
        foot=f"{words} Numbers are in hundredths." if is_narrow else words,
        bar="\N{MULTIPLICATION SIGN} 100" if is_narrow else "difference",
        scale=ScalarMappable(Normalize(-far, far), colormaps["RdBu"]),
        write=_hundredths if is_narrow else signed,
    )


def _hundredths(value: float) -> str:
    """Write a difference in hundredths, to fit a narrow cell: .07 as `+7`."""
    return f"{100 * value:+.0f}".replace("-", "\N{MINUS SIGN}").replace("+0", "0").replace("\N{MINUS SIGN}0", "0")


def _draw(data: pd.DataFrame, variant: Variant, picture: Picture) -> None:
    foot = " ".join(filter(None, [_explain(data), variant.foot, picture.note]))
    with house_style(data, variant.title, variant.head, foot):
        keys = _keys(data)
        layout = lay_out(
            data,
            title=variant.title,
            head=variant.head,
            foot=foot,
            keys=keys,
            write=variant.write,
            width=picture.width,
        )
        figure = Figure(figsize=(layout.width, layout.height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
        axes.set_axis_off()
        _draw_head(axes, data, layout)
        _draw_cells(axes, data, layout, variant)
        _draw_foot(axes, keys, layout)
        _draw_bar(figure, layout, variant)
        save_figure(figure, data, picture.out_stem)


def _explain(data: pd.DataFrame) -> str:
    low, high = int(data["n"].min()), int(data["n"].max())
    posts = f"{low}" if low == high else f"{low} to {high}"
    baselines = "Baselines: majority class and character n-grams of the same train posts (none: majority of all posts)."
    return f"{count_seeds(data)}; {posts} posts per cell. {baselines if data['baseline'].notna().any() else ''}".strip()


def _draw_head(axes: Axes, data: pd.DataFrame, layout: Layout) -> None:
    for number, line in enumerate(layout.title):
        axes.text(EDGE, 0.2 + TITLE_LINE * number, line, size=title_size(layout.width), weight="bold")
    for number, line in enumerate(layout.head):
        y = 0.21 + TITLE_LINE * len(layout.title) + HEAD_LINE * number
        axes.text(EDGE, y, line, size=HEAD, color=FAINT)
    shares = data.drop_duplicates("test_language").set_index("test_language")["exposure"]
    y = layout.top - TITLE_ROW
    turn: dict[str, Any] = {"rotation": layout.columns.turn, "rotation_mode": "anchor"}
    upright: dict[str, Any] = {"rotation": 90} if layout.columns.are_shares_upright else {}
    for language, x in layout.columns.edges.items():
        middle = x + layout.cell[0] / 2
        axes.text(middle, y - layout.columns.share_room - 0.02, heading(language), size=layout.number_size, **turn)
        share, y_of_share = write_share(shares[language]), y - layout.columns.share_room / 2
        axes.text(middle, y_of_share, share, size=SHARE, color=FAINT, ha="center", va="center", **upright)
    for group, y in layout.titles.items():
        axes.text(EDGE, y + TITLE_ROW * 0.62, group, size=6, color=FAINT, va="center")


def _draw_cells(axes: Axes, data: pd.DataFrame, layout: Layout, variant: Variant) -> None:
    for mixture, y in layout.rows.items():
        axes.text(EDGE, y + layout.cell[1] / 2, mixture, size=NAME, va="center")
    for cell in data.itertuples():
        box = (layout.columns.edges[str(cell.test_language)], layout.rows[str(cell.mixture)], *layout.cell)
        _draw_cell(axes, box, cell, variant, layout.number_size)
        if cell.seen:
            axes.add_patch(_frame(box))


def _draw_cell(axes: Axes, box: Box, cell: Any, variant: Variant, size: float) -> None:
    left, top, width, height = box
    middle = (left + width / 2, top + height / 2 + 0.005)
    words: dict[str, Any] = {"size": size, "ha": "center", "va": "center"}
    if np.isnan(cell.value):
        axes.text(*middle, "\N{EN DASH}", color=FAINT, **words)
        return
    if not cell.ranked:
        axes.add_patch(_filled(box, _UNRANKED))
        axes.text(*middle, variant.write(cell.value), color="#666666", **words)
        return
    red, green, blue, _ = variant.scale.to_rgba(np.array([cell.value]))[0]
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.48
    axes.add_patch(_filled(box, (red, green, blue)))
    if not cell.beats_baseline:
        axes.add_patch(_cut_corner(box, "#00000088" if is_light else "#ffffff99"))
    style = "normal" if cell.beats_baseline else "italic"
    axes.text(*middle, variant.write(cell.value), color=_DARK if is_light else "white", style=style, **words)


def _filled(box: Box, colour: str | tuple[float, float, float]) -> Rectangle:
    left, top, width, height = box
    return Rectangle((left, top), width, height, facecolor=colour, edgecolor="white", linewidth=0.9)


def _cut_corner(box: Box, colour: str) -> Polygon:
    """Return a dark or light corner that leaves the cell's colour, and so its score, visible."""
    left, top, width, height = box[0] + _INSET, box[1], box[2], box[3] - _INSET
    corner = min(width, height) * 0.5
    return Polygon(
        [(left, top + height), (left, top + height - corner), (left + corner, top + height)],
        facecolor=colour,
        linewidth=0,
    )


def _frame(box: Box) -> Rectangle:
    left, top, width, height = box
    corner = (left + _INSET, top + _INSET)
    return Rectangle(
        corner,
        width - 2 * _INSET,
        height - 2 * _INSET,
        fill=False,
        edgecolor=_DARK,
        linewidth=1.1,
        joinstyle="miter",
        zorder=3,
    )


def _keys(data: pd.DataFrame) -> list[str]:
    """Return the meaning of frames, cut corners and grey cells, in this order."""
    keys = ["the mixture contains this language", "italic, corner cut: no better than the better baseline"]
    return keys if data["ranked"].all() else [*keys, "too few posts to be ranked"]


def _draw_foot(axes: Axes, keys: list[str], layout: Layout) -> None:
    width, height = KEY_BOX
    for number, (words, (left, below)) in enumerate(zip(keys, layout.keys, strict=True)):
        box = (left, layout.bottom + 0.12 + below, width, height)
        axes.add_patch(_filled(box, _UNRANKED if number == 2 else "#b9b9b9"))
        if number < 2:
            axes.add_patch(_frame(box) if number == 0 else _cut_corner(box, "#00000088"))
        axes.text(left + width + 0.06, box[1] + height / 2, words, size=KEY, va="center")
    for number, line in enumerate(reversed(layout.footnote)):
        axes.text(EDGE, layout.height - 0.08 - 0.12 * number, line, size=6, color=FAINT, va="center")


def _draw_bar(figure: Figure, layout: Layout, variant: Variant) -> None:
    height = min(1.6, layout.bottom - layout.top)
    left = max(layout.columns.edges.values()) + layout.cell[0] + 0.12
    box = (left / layout.width, 1 - (layout.top + height) / layout.height, 0.09 / layout.width, height / layout.height)
    bar = figure.colorbar(variant.scale, cax=figure.add_axes(box))
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: variant.write(value))
    bar.ax.set_title(variant.bar, size=6, pad=4, loc="left")
