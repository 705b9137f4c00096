"""The donor-recipient map: what a language gives to the others, and what it gets from them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from babelgrid.figures.labels import boxes_between, label_points, points_of
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


def draw_donors(tables: GridTables, picture: Picture) -> None:
    """Draw each language's donor score against its recipient score, and save it with its data.

    Of the adapters trained on one language: a donor score is the mean over the test languages other than its own; a
    recipient score is the mean over the adapters of other languages. A language that is not trained on alone has no
    donor score and stands in the margin. Cells with too few posts to be ranked are left out; where fewer than two
    donors remain, the figure says so.
    """
    cells = collect_cells(tables, picture)
    data = donor_scores(cells)
    with house_style():
        figure = _draw(data, picture, count_seeds(cells)) if data["donor"].count() > 1 else _say_there_is_none(picture)
        save_figure(figure, data, picture.out_stem)


def donor_scores(cells: pd.DataFrame) -> pd.DataFrame:
    """Return test_language, donor, targets, recipient, donors: the two means and the number of cells in each.

    cells: as `picture.collect_cells` returns them.
    """
    languages = cells["test_language"].drop_duplicates()
    single = cells[cells["mixture"].isin(languages) & (cells["mixture"] != cells["test_language"]) & cells["ranked"]]
    given, got = single.groupby("mixture")["score"], single.groupby("test_language")["score"]
    data = pd.DataFrame({"test_language": languages.to_list()})
    return data.assign(
        donor=data["test_language"].map(given.mean()),
        targets=data["test_language"].map(given.count()).fillna(0).astype(int),
        recipient=data["test_language"].map(got.mean()),
        donors=data["test_language"].map(got.count()).fillna(0).astype(int),
    )


def _say_there_is_none(picture: Picture) -> Figure:
    figure = Figure(figsize=(picture.width, 0.6))
    figure.text(0.08 / picture.width, 0.65, f"What languages give and get: {picture.view}", size=7, weight="bold")
    words = f"Fewer than two languages are trained on alone and tested on enough posts. {picture.note}"
    for number, line in enumerate(wrap(words.strip(), picture.width - 0.16, 6)):
        figure.text(0.08 / picture.width, 0.42 - 0.2 * number, line, size=6, color=FAINT)
    return figure


def _draw(data: pd.DataFrame, picture: Picture, seeds: str) -> Figure:
    name = METRIC_NAMES[picture.metric]
    shown = data.dropna(subset="recipient").reset_index(drop=True)
    is_donor = shown["donor"].notna().to_numpy()
    foot = (
        f"{seeds}. Adapters trained on one language. Open: recipients that are not trained on alone. "
        f"On the dashed line a language gives as much as it gets. {picture.note}"
    )
    lines = wrap(foot.strip(), picture.width - 0.16, 6)
    panel = min(picture.width - 0.6, 4.2)
    height = 0.36 + panel * 0.82 + 0.42 + 0.12 * len(lines)
    figure = Figure(figsize=(picture.width, height))
    left = 0.46 / picture.width
    axes = figure.add_axes((left, 1 - (0.36 + panel * 0.82) / height, panel / picture.width, panel * 0.82 / height))
    size = 8.5 if picture.width >= TWO_COLUMNS else 7
    figure.text(
        0.08 / picture.width,
        1 - 0.2 / height,
        f"What languages give and get, {name}: {picture.view}",
        size=size,
        weight="bold",
    )
    for number, line in enumerate(reversed(lines)):
        figure.text(0.08 / picture.width, (0.08 + 0.12 * number) / height, line, size=6, color=FAINT)
    donors = shown["donor"].to_numpy(float)
    low, high = np.nanmin(donors), np.nanmax(donors)
    pad = max(0.02, 0.1 * (high - low))
    margin = low - 2.2 * pad
    x = np.where(is_donor, donors, margin)
    y = shown["recipient"].to_numpy(float)
    axes.set_xlim((margin if not is_donor.all() else low) - pad, high + pad)
    span = max(0.02, 0.08 * float(np.ptp(y)))
    axes.set_ylim(y.min() - span, y.max() + span)
    axes.axline((low, low), slope=1, color="#999999", linewidth=0.7, linestyle="--", zorder=1)
    axes.plot(x[is_donor], y[is_donor], "o", color=SEEN_COLOUR, markersize=3.6)
    axes.plot(x[~is_donor], y[~is_donor], "o", color=SEEN_COLOUR, mfc="white", markersize=3.6, markeredgewidth=0.7)
    axes.grid()
    axes.set_xlabel("gives: mean score of its adapter in the others")
    axes.set_ylabel("gets: mean score of the others' adapters in it")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: decimal(value))
    dots = boxes_between(points_of(axes, x, y), margin=(2.2, 2.2))
    label_points(axes, np.column_stack([x, y]), shown["test_language"].tolist(), ["#222222"] * len(shown), dots)
    return figure
