"""Compare other systems with the base: the same mixtures, seeds and test posts, paired by the joint bootstrap."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from babelgrid.analysis.bootstrap.statistics import SampledScores, estimate, read_sampled_scores
from babelgrid.mixture import is_rival, split_row
from babelgrid.runtime.files import write_csv
from babelgrid.types import Floats, Row

EVERY = "(all)"
"""Stands in the place of a mixture for the mean over all mixtures that a system learnt from."""
COLUMNS = ("view", "system", "mixture", "languages", "cells", "score", "score_of_base", "difference", "low", "high")


def measure_rivals(replicates_path: str | Path, *, min_posts: int, out: str | Path) -> None:
    """Write rivals.csv: for each view, system and mixture, the system's mean score minus that of the base's adapters.

    The means are over the test languages where both are ranked. low, high: 95% percentile interval of the difference
    over posts and seeds; each replicate draws the same posts and seeds for both. A further row, with the mixture
    `(all)`, is the mean over all mixtures, in which every cell has the same weight.
    """
    rows = [
        {"view": view, **row}
        for view, scores in read_sampled_scores(replicates_path, min_posts).items()
        for row in rival_rows(scores)
    ]
    write_csv(out, pd.DataFrame(rows, columns=list(COLUMNS)))


def rival_rows(scores: SampledScores) -> Iterator[Row]:
    """Yield the rows of one view: each system's mean over all mixtures first, then its mixtures."""
    paired = [cell for cell in scores.cells if is_rival(cell[0]) and scores.ranked[cell]]
    paired = [cell for cell in paired if scores.ranked.get(_of_base(cell))]
    for system in dict.fromkeys(split_row(row)[0] for row, _ in paired):
        own = [cell for cell in paired if split_row(cell[0])[0] == system]
        yield {"system": system, "mixture": EVERY, **_compare(own, scores)}
        for row in dict.fromkeys(row for row, _ in own):
            cells = [cell for cell in own if cell[0] == row]
            yield {"system": system, "mixture": split_row(row)[1], **_compare(cells, scores)}


def _of_base(cell: tuple[str, str]) -> tuple[str, str]:
    return split_row(cell[0])[1], cell[1]


def _compare(cells: list[tuple[str, str]], scores: SampledScores) -> Row:
    score: Floats = scores.mean(cells)
    of_base: Floats = scores.mean([_of_base(cell) for cell in cells])
    return {
        "languages": len(np.unique([language for _, language in cells])),
        "cells": len(cells),
        "score": float(score[0]),
        "score_of_base": float(of_base[0]),
        **estimate(score - of_base, "difference"),
    }
