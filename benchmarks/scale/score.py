"""Score every cell of an experiment, with intervals over posts, and over posts and seeds jointly.

Does the same as the rules score_cells, resample_cells and summarize_scores. Usage: python -m benchmarks.scale.score
CONFIG RESULTS.
"""

import sys
from pathlib import Path

from babelgrid.analysis.bootstrap.intervals import summarize_scores
from babelgrid.analysis.bootstrap.replicates import resample_cells
from babelgrid.analysis.scores.cells import score_cells
from babelgrid.config.load import read_experiment
from babelgrid.grid import build_grid
from benchmarks.scale.predictions import baseline_file, prediction_file

if __name__ == "__main__":
    config, results = map(Path, sys.argv[1:])
    experiment = read_experiment(config)
    grid = build_grid(experiment)
    predictions = {cell: prediction_file(results, *cell) for cell in grid.cells}
    tables = results / "tables"
    choices = {"views": experiment.effective_views, "score": experiment.score, "seed": experiment.seed}
    score_cells(
        predictions,
        {row: baseline_file(results, *row) for row in grid.rows},
        **choices,
        cells_path=tables / "cells.csv",
        classes_path=tables / "classes.csv",
    )
    resample_cells(predictions, {}, **choices, out=tables / "replicates.parquet")
    summarize_scores(tables / "replicates.parquet", experiment.score.min_posts, tables / "scores.csv")
