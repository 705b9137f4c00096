"""What a figure of the grid is drawn from, and how it shall look."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from babelgrid.analysis.exposure.exposure import exposure_of_languages, seen_cells
from babelgrid.analysis.scores.merged import joint_cells_of_view
from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.display.order import group_mixtures, order_languages
from babelgrid.figures.style import TWO_COLUMNS

UNTUNED = "none"
"""The mixture of no language: the base as it is."""


@dataclass(frozen=True)
class GridTables:
    """The tables of the grid that figures are drawn from."""

    cells: str | Path
    scores: str | Path
    exposure: str | Path


@dataclass(frozen=True)
class Picture:
    """What a figure shows of the grid, and where it goes."""

    view: str
    metric: Metric
    table: str
    """The share table of pre-training exposure."""
    out_stem: str | Path
    """The files' path without its ending (`style.save_figure`)."""
    note: str = ""
    """A sentence for the foot of the figure, or nothing."""
    width: float = TWO_COLUMNS
    """In inches."""


def collect_cells(tables: GridTables, picture: Picture) -> pd.DataFrame:
    """Return a row for each cell of the grid in the order of reading: mixtures by group, languages by exposure.

    Columns: group, mixture, test_language, exposure, seen (the mixture holds the language), seeds, n, score, low, high,
    ranked, baseline, beats_baseline.
    """
    cells = joint_cells_of_view(tables.cells, tables.scores, picture.view, picture.metric)
    exposure = read_table(tables.exposure)
    seen = seen_cells(exposure)
    shares = exposure_of_languages(exposure, picture.table)
    known, unknown = order_languages(cells["test_language"].drop_duplicates().tolist(), shares)
    groups = group_mixtures(cells["mixture"].drop_duplicates().tolist(), seen)
    order = [
        (group, name, language) for group, names in groups.items() for name in names for language in known + unknown
    ]
    data = pd.DataFrame(order, columns=["group", "mixture", "test_language"])
    data = data.merge(cells, on=["mixture", "test_language"], how="left")
    data.insert(3, "exposure", data["test_language"].map(shares))
    data.insert(4, "seen", [pair in seen for pair in zip(data["mixture"], data["test_language"], strict=True)])
    return data.assign(beats_baseline=~(data["score"] <= data["baseline"]))
