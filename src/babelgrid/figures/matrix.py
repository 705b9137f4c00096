"""The transfer matrix as a picture."""

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

from babelgrid.analysis.exposure import exposure_of_languages, seen_cells
from babelgrid.analysis.metrics import Metric
from babelgrid.analysis.shares import describe_quantity
from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer import cells_of_view
from babelgrid.figures.order import group_mixtures, language_name, order_languages
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

_UNKNOWN_GAP = 0.14
_SERIES_GAP = 0.05
_TITLE_ROW = 0.19
_BAR_WIDTH = 0.62
_INSET = 0.012
_EDGE = 0.08
_DARK = "#1a1a1a"

Box = tuple[float, float, float, float]
"""Left, top, width and height, in inches from the top left corner."""


@dataclass(frozen=True)
class Layout:
    """Where things stand, in inches from the top left corner."""

    columns: dict[str, float]
    """Test language -> left edge of its column."""
    rows: dict[str, float]
    """Mixture -> top edge of its row."""
    titles: dict[str, float]
    """Group of mixtures -> top edge of its title."""
    cell: tuple[float, float]
    """Width and height of a cell."""
    top: float
    """Where the first row starts, below the head."""
    bottom: float
    width: float
    height: float
    footnote: list[str]


def draw_transfer_matrix(
    cells_path: str | Path,
    exposure_path: str | Path,
    *,
    view: str,
    metric: Metric,
    table: str,
    note: str,
    out_stem: str | Path,
) -> None:
    """Draw mixtures by test languages with their mean score over seeds, and save it with its data (`save_figure`).

    Columns go from much to little pre-training exposure in the share table `table`; those of unknown exposure stand
    apart at the right. A framed cell's mixture holds the language. A cell with a cut corner is no better than the
    better of its two baselines.
    note: a sentence for the foot of the figure, or an empty string.
    """
    data = _collect(cells_path, exposure_path, view, metric, table)
    layout = _lay_out(data, f"{_explain(data)} {note}".strip())
    with house_style():
        figure = Figure(figsize=(layout.width, layout.height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
        axes.set_axis_off()
        scale = _scale(data)
        _draw_head(axes, data, layout, f"{METRIC_NAMES[metric]} by mixture and test language: {view}", table)
        _draw_cells(axes, data, layout, scale)
        _draw_foot(axes, layout)
        _draw_bar(figure, layout, scale, METRIC_NAMES[metric])
        save_figure(figure, data, out_stem)


def _collect(cells_path: str | Path, exposure_path: str | Path, view: str, metric: Metric, table: str) -> pd.DataFrame:
    """Return a row for each drawn cell, in the order of reading."""
    cells = cells_of_view(cells_path, view, metric)
    exposure = read_table(exposure_path)
    seen = seen_cells(exposure)
    shares = exposure_of_languages(exposure, table)
    known, unknown = order_languages(cells["test_language"].drop_duplicates().tolist(), shares)
    groups = group_mixtures(cells["mixture"].drop_duplicates().tolist(), seen)
    drawn = [
        (group, name, language) for group, names in groups.items() for name in names for language in known + unknown
    ]
    data = pd.DataFrame(drawn, columns=["group", "mixture", "test_language"])
    data = data.merge(cells, on=["mixture", "test_language"], how="left")
    data.insert(3, "exposure", data["test_language"].map(shares))
    data.insert(4, "seen", [pair in seen for pair in zip(data["mixture"], data["test_language"], strict=True)])
    return data.assign(beats_baseline=~(data["score"] <= data["baseline"]))


def _explain(data: pd.DataFrame) -> str:
    low, high = int(data["n"].min()), int(data["n"].max())
    posts = f"{low}" if low == high else f"{low} to {high}"
    return (
        f"{count_seeds(data)}; {posts} posts per cell. Baselines: majority class and character n-grams of the same "
        f"train posts (for none: majority of all)."
    )


def _lay_out(data: pd.DataFrame, foot: str) -> Layout:
    mixtures = data["mixture"].drop_duplicates().tolist()
    row_height = 0.2 if len(mixtures) <= 30 else 0.165
    left = _EDGE + max(0.85, 0.062 * max(map(len, mixtures)) + 0.1)
    exposure = data.drop_duplicates("test_language").set_index("test_language")["exposure"]
    gap = _UNKNOWN_GAP if exposure.isna().any() and exposure.notna().any() else 0.0
    width = float(np.clip((TWO_COLUMNS - left - gap - _BAR_WIDTH) / len(exposure), 0.3, 0.6))
    columns = {
        language: left + number * width + (gap if np.isnan(share) else 0)
        for number, (language, share) in enumerate(exposure.items())
    }
    head = 0.75 + 0.034 * max(len(_heading(str(language))) for language in exposure.index)
    rows, titles, bottom = _stack_rows(data, head, row_height)
    footnote = wrap(foot, TWO_COLUMNS - 2 * _EDGE, 6)
    return Layout(
        columns={str(language): x for language, x in columns.items()},
        rows=rows,
        titles=titles,
        cell=(width, row_height),
        top=head + _TITLE_ROW,
        bottom=bottom,
        width=max(TWO_COLUMNS, left + gap + width * len(exposure) + _BAR_WIDTH),
        height=bottom + 0.42 + 0.12 * len(footnote),
        footnote=footnote,
    )


def _stack_rows(data: pd.DataFrame, y: float, row_height: float) -> tuple[dict[str, float], dict[str, float], float]:
    """Return the top edges of rows and of group titles, and the bottom edge of them all."""
    rows: dict[str, float] = {}
    titles: dict[str, float] = {}
    series = ""
    for group, members in data.groupby("group", sort=False):
        titles[str(group)] = y
        y += _TITLE_ROW
        for mixture in members["mixture"].drop_duplicates():
            base, _, dose = str(mixture).partition("@")
            if dose and base != series and rows and "@" in list(rows)[-1]:
                y += _SERIES_GAP
            series = base
            rows[str(mixture)] = y
            y += row_height
    return rows, titles, y


def _scale(data: pd.DataFrame) -> ScalarMappable:
    """Span the scores in whole tenths, so that neighbouring views and reruns are easy to compare."""
    scores = data["score"].dropna()
    low, high = (np.floor(scores.min() * 10) / 10, np.ceil(scores.max() * 10) / 10) if len(scores) else (0.0, 1.0)
    return ScalarMappable(Normalize(low, max(high, low + 0.1)), colormaps["cividis"])


def _draw_head(axes: Axes, data: pd.DataFrame, layout: Layout, title: str, table: str) -> None:
    axes.text(_EDGE, 0.17, title, size=8.5, weight="bold", va="center")
    axes.text(
        _EDGE,
        0.34,
        f"Columns from much to little: {describe_quantity(table)} (grey)",
        size=6.5,
        color=FAINT,
        va="center",
    )
    shares = data.drop_duplicates("test_language").set_index("test_language")["exposure"]
    y = layout.top - _TITLE_ROW
    for language, x in layout.columns.items():
        middle = x + layout.cell[0] / 2
        axes.text(middle - 0.03, y - 0.14, _heading(language), size=6.5, rotation=40, rotation_mode="anchor")
        if not np.isnan(shares[language]):
            axes.text(middle, y - 0.04, _share(shares[language]), size=5.8, color=FAINT, ha="center", va="center")
    unknown = [layout.columns[language] + layout.cell[0] / 2 for language in shares.index[shares.isna()]]
    if unknown:
        axes.text(sum(unknown) / len(unknown), y - 0.04, "unknown", size=5.8, color=FAINT, ha="center", va="center")
    for group, y in layout.titles.items():
        axes.text(_EDGE, y + _TITLE_ROW * 0.62, group, size=6, color=FAINT, va="center")


def _heading(language: str) -> str:
    return f"{language_name(language)} ({language})"


def _share(share: float) -> str:
    text = f"{share:.3g}"
    return text.removeprefix("0") if text != "0" else text


def _draw_cells(axes: Axes, data: pd.DataFrame, layout: Layout, scale: ScalarMappable) -> None:
    for mixture, y in layout.rows.items():
        axes.text(_EDGE, y + layout.cell[1] / 2, mixture, size=6.5, va="center")
    for cell in data.itertuples():
        box = (layout.columns[str(cell.test_language)], layout.rows[str(cell.mixture)], *layout.cell)
        _draw_cell(axes, box, float(cell.score), bool(cell.beats_baseline), scale)  # type: ignore[arg-type]
        if cell.seen:
            axes.add_patch(_frame(box))


def _draw_cell(axes: Axes, box: Box, score: float, beats_baseline: bool, scale: ScalarMappable) -> None:
    left, top, width, height = box
    middle = (left + width / 2, top + height / 2 + 0.005)
    words: dict[str, Any] = {"size": 6.5, "ha": "center", "va": "center"}
    if np.isnan(score):
        axes.text(*middle, "\N{EN DASH}", color=FAINT, **words)
        return
    red, green, blue, _ = scale.to_rgba(np.array([score]))[0]
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.48
    axes.add_patch(_filled(box, (red, green, blue)))
    if not beats_baseline:
        axes.add_patch(_cut_corner(box, "#00000088" if is_light else "#ffffff99"))
    style = "normal" if beats_baseline else "italic"
    axes.text(*middle, decimal(score), color=_DARK if is_light else "white", style=style, **words)


def _filled(box: Box, colour: str | tuple[float, float, float]) -> Rectangle:
    left, top, width, height = box
    return Rectangle((left, top), width, height, facecolor=colour, edgecolor="white", linewidth=0.9)


def _cut_corner(box: Box, colour: str) -> Polygon:
    """Return a dark or light corner: the cell keeps its colour, which is its score."""
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


def _draw_foot(axes: Axes, layout: Layout) -> None:
    """Explain frames and cut corners, and write the footnote."""
    y = layout.bottom + 0.12
    width, height = 0.26, 0.14
    framed, cut = (_EDGE, y, width, height), (_EDGE + 2.3, y, width, height)
    for patch in (_filled(framed, "#b9b9b9"), _frame(framed), _filled(cut, "#b9b9b9"), _cut_corner(cut, "#00000088")):
        axes.add_patch(patch)
    for (left, *_), words in (
        (framed, "the mixture holds this language"),
        (cut, "italic, corner cut: no better than the better baseline"),
    ):
        axes.text(left + width + 0.06, y + height / 2, words, size=6.5, va="center")
    for number, line in enumerate(layout.footnote):
        axes.text(_EDGE, y + 0.3 + 0.12 * number, line, size=6, color=FAINT, va="center")


def _draw_bar(figure: Figure, layout: Layout, scale: ScalarMappable, label: str) -> None:
    height = min(1.6, layout.bottom - layout.top)
    left = max(layout.columns.values()) + layout.cell[0] + 0.12
    box = (left / layout.width, 1 - (layout.top + height) / layout.height, 0.09 / layout.width, height / layout.height)
    bar = figure.colorbar(scale, cax=figure.add_axes(box))
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: decimal(value, 1))
    bar.ax.set_title(label, size=6, pad=4, loc="left")
