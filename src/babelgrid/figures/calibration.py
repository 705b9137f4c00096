"""Draw calibration by language: error and Brier score of one mixture's probabilities, before and after scaling."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from babelgrid.analysis.tables import read_table
from babelgrid.display.order import language_name
from babelgrid.figures.measure import widest
from babelgrid.figures.page import EDGE, lay_out_page, place
from babelgrid.figures.style import SEEN_COLOUR, UNSEEN_COLOUR, decimal, house_style, save_figure

_MEASURES = {"ece": "expected calibration error", "brier": "Brier score"}
_ROW = 0.17


def draw_calibration(
    calibration_path: str | Path, *, view: str, mixture: str, note: str, width: float, out_stem: str | Path
) -> None:
    """Draw expected calibration error and Brier score of one mixture in every test language, and save the figure.

    calibration_path: calibration.csv. Open markers are before temperature scaling, filled ones after it. Languages are
    sorted from best to worst calibrated. If the answers have no probabilities, the figure contains only a note.
    """
    table = read_table(calibration_path)
    data = table[(table["view"] == view) & (table["mixture"] == mixture)].sort_values("ece", ignore_index=True)
    title = f"Calibration by language, trained on {mixture}: {view}"
    with house_style(data, title, note):
        figure = _draw(data, title, note, width) if len(data) else _empty_figure(title, note, width)
        save_figure(figure, data, out_stem)


def _empty_figure(title: str, note: str, width: float) -> Figure:
    return lay_out_page(title, f"The answers have no probabilities. {note}", width).figure(0.1)


def _draw(data: pd.DataFrame, title: str, note: str, width: float) -> Figure:
    names = [f"{language_name(code)} ({code})" for code in data["test_language"]]
    left = EDGE + widest(names, 6) + 0.08
    scaled_on = data["scaled_on"].iloc[0]
    foot = (
        f"For the predicted class; 0 is best. Means over seeds; with few posts, even a calibrated model has an error "
        f"above zero. Scaled: with a temperature fitted on {scaled_on}. {note}"
    )
    page = lay_out_page(title, foot, width)
    tall = _ROW * len(data)
    figure = page.figure(0.3 + tall + 0.42)
    panel = (width - left - 0.1 - 0.2) / 2
    for number, (measure, words) in enumerate(_MEASURES.items()):
        axes = place(figure, left + number * (panel + 0.2), page.head + 0.3, panel, tall)
        _draw_panel(axes, data, measure, words)
        axes.set_yticks(range(len(names)), names if number == 0 else [""] * len(names))
    handles = [
        Line2D([], [], marker="o", color=UNSEEN_COLOUR, mfc="white", linestyle="", markersize=3.6, markeredgewidth=0.8),
        Line2D([], [], marker="o", color=SEEN_COLOUR, linestyle="", markersize=3.6),
    ]
    anchor = (0.02 / width, 1 - (page.head + 0.02) / figure.get_figheight())
    looks = ["before scaling", "after temperature scaling"]
    figure.legend(handles, looks, loc="upper left", bbox_to_anchor=anchor, ncols=2, borderaxespad=0, handletextpad=0.4)
    return figure


def _draw_panel(axes: Axes, data: pd.DataFrame, measure: str, words: str) -> None:
    before, after = data[measure].to_numpy(float), data[f"{measure}_scaled"].to_numpy(float)
    y = np.arange(len(data))
    axes.hlines(y, before, after, color="#bbbbbb", linewidth=1, zorder=1)
    axes.plot(before, y, "o", color=UNSEEN_COLOUR, mfc="white", markersize=3.6, markeredgewidth=0.8)
    axes.plot(after, y, "o", color=SEEN_COLOUR, markersize=3.6)
    axes.set_ylim(len(data) - 0.4, -0.6)
    axes.set_xlim(0, 1.08 * max(np.nanmax(before), np.nanmax(after), 0.05))
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(words)
    axes.xaxis.set_major_formatter(lambda value, _: decimal(value) if value else "0")
