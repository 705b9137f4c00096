"""Draw the donor-recipient map: what each language gives to the others and what it gets from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.figures.labels import boxes_between, label_points, points_of
from babelgrid.figures.page import lay_out_page, place
from babelgrid.figures.panels import grown
from babelgrid.figures.style import METRIC_NAMES, SEEN_COLOUR, decimal, house_style, save_figure


def draw_donors(
    donors_path: str | Path,
    *,
    view: str,
    languages: Sequence[str],
    metric: Metric,
    note: str,
    width: float,
    out_stem: str | Path,
) -> None:
    """Draw each language's donor score against its recipient score, with their intervals, and save it with its data.

    donors_path: donors.csv. languages: the test languages. Only adapters trained on one language count: the donor score
    of a language is the mean of its adapter over the other test languages, its recipient score the mean over the
    adapters of other languages. A language that is not trained on alone has no donor score and is drawn in the margin.
    With fewer than two donors or recipients, the figure contains only a note.
    """
    data = donor_points(read_table(donors_path), view, languages)
    with house_style(data, view, note):
        is_drawn = data["gives"].count() > 1 and data["gets"].count() > 1
        figure = _draw(data, view, METRIC_NAMES[metric], note, width) if is_drawn else _empty_figure(view, note, width)
        save_figure(figure, data, out_stem)


def donor_points(donors: pd.DataFrame, view: str, languages: Sequence[str]) -> pd.DataFrame:
    """Return language, gives, gives_low, gives_high, targets, gets, gets_low, gets_high and donors of each language."""
    own = donors[donors["view"] == view].set_index(["role", "name"])[["score", "low", "high", "cells"]]
    data = pd.DataFrame({"language": list(languages)})
    for role, word, count in (("donor", "gives", "targets"), ("recipient", "gets", "donors")):
        columns = [word, f"{word}_low", f"{word}_high", count]
        place = pd.MultiIndex.from_product([[role], languages], names=["role", "name"])
        data[columns] = own.reindex(place).to_numpy(float)
    return data


def _empty_figure(view: str, note: str, width: float) -> Figure:
    words = f"Fewer than two languages have their own adapter and enough test posts. {note}"
    return lay_out_page(f"What languages give and get: {view}", words, width).figure(0.1)


def _draw(data: pd.DataFrame, view: str, metric: str, note: str, width: float) -> Figure:
    shown = data.dropna(subset="gets").reset_index(drop=True)
    figure, axes = _lay_out(f"What languages give and get, {metric}: {view}", note, width, len(shown))
    is_donor = shown["gives"].notna().to_numpy()
    x, y = shown["gives"].to_numpy(float), shown["gets"].to_numpy(float)
    low, high = np.nanmin(shown["gives_low"]), np.nanmax(shown["gives_high"])
    pad = max(0.01, 0.06 * (high - low))
    x = np.where(is_donor, x, low - 2 * pad)
    axes.set_xlim((low if is_donor.all() else low - 2 * pad) - pad, high + pad)
    span = max(0.01, 0.05 * float(shown["gets_high"].max() - shown["gets_low"].min()))
    axes.set_ylim(shown["gets_low"].min() - span, shown["gets_high"].max() + span)
    axes.axline((low, low), slope=1, color="#999999", linewidth=0.7, linestyle="--", zorder=1)
    bars: dict[str, Any] = {"color": SEEN_COLOUR, "linewidth": 0.6, "alpha": 0.35, "zorder": 2}
    axes.vlines(x, shown["gets_low"], shown["gets_high"], **bars)
    axes.hlines(y, shown["gives_low"], shown["gives_high"], **bars)
    axes.plot(x[is_donor], y[is_donor], "o", color=SEEN_COLOUR, markersize=3.6)
    axes.plot(x[~is_donor], y[~is_donor], "o", color=SEEN_COLOUR, mfc="white", markersize=3.6, markeredgewidth=0.7)
    dots = boxes_between(points_of(axes, x, y), margin=(2.2, 2.2))
    label_points(axes, np.column_stack([x, y]), shown["language"].tolist(), ["#222222"] * len(shown), dots)
    return figure


def _lay_out(title: str, note: str, width: float, points: int) -> tuple[Figure, Axes]:
    foot = (
        f"Adapters trained on one language; bars: 95% intervals over posts and seeds. Open: no adapter of that "
        f"language alone. Dashed: a language gives as much as it gets. {note}"
    )
    page = lay_out_page(title, foot, width)
    panel = min(width - 0.6, grown(4.2, points))
    tall = max(0.82 * panel, grown(0.82 * 4.2, points))
    figure = page.figure(0.1 + tall + 0.46)
    axes = place(figure, 0.46, page.head + 0.1, panel, tall)
    axes.grid()
    axes.set_xlabel("gives: mean score of its adapter on the others")
    axes.set_ylabel("gets: mean score of the others' adapters on it")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: decimal(value))
    return figure, axes
