"""Describe the inputs and settings of a figure of the grid."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from babelgrid.analysis.exposure.exposure import exposure_of_languages, seen_cells
from babelgrid.analysis.scores.merged import merge_scores
from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.display.order import group_mixtures, order_languages
from babelgrid.errors import UserError, nearest
from babelgrid.figures.style import TWO_COLUMNS
from babelgrid.mixture import is_rival

UNTUNED = "none"
"""The mixture of no language: the untuned base."""


@dataclass(frozen=True)
class GridTables:
    """The tables of the grid that figures are drawn from."""

    cells: str | Path
    scores: str | Path
    exposure: str | Path


@dataclass(frozen=True)
class Picture:
    """What a figure shows of the grid, and where it is saved."""

    view: str
    metric: Metric
    table: str
    """The share table of pre-training exposure."""
    out_stem: str | Path
    """Path of the files without the extension (`style.save_figure`)."""
    note: str = ""
    """A sentence for the footnote of the figure, or an empty string."""
    width: float = TWO_COLUMNS
    """In inches."""


def collect_cells(tables: GridTables, picture: Picture) -> pd.DataFrame:
    """Return one row per cell of the grid, in reading order: mixtures by group, languages by exposure.

    Columns: group, mixture, test_language, exposure, seen (the language is in the mixture), seeds, n, score, low, high,
    ranked, baseline, beats_baseline.
    """
    merged = merge_scores(read_table(tables.cells), read_table(tables.scores), picture.metric)
    views = merged["view"].drop_duplicates().tolist()
    if picture.view not in views:
        nearby = nearest(picture.view, views)
        raise UserError(f"{tables.cells}: there is no view {picture.view!r}{nearby}. Found: {', '.join(views)}")
    cells = merged[merged["view"] == picture.view].drop(columns="view")
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


def cells_of_base(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells without those of rivals, for figures about the base's pre-training or its fine-tuning."""
    return cells[~cells["mixture"].map(is_rival)]
