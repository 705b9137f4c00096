"""Score every cell of an experiment, as the rule score_cells does: python -m benchmarks.scale.score CONFIG RESULTS."""

import sys
from pathlib import Path

from babelgrid.analysis.cells import score_cells
from babelgrid.config.load import read_experiment
from babelgrid.grid import build_grid
from benchmarks.scale.predictions import baseline_file, prediction_file

if __name__ == "__main__":
    config, results = map(Path, sys.argv[1:])
    experiment = read_experiment(config)
    grid = build_grid(experiment)
    score_cells(
        {cell: prediction_file(results, *cell) for cell in grid.cells},
        {row: baseline_file(results, *row) for row in grid.rows},
        views=experiment.effective_views,
        score=experiment.score,
        seed=experiment.seed,
        cells_path=results / "tables" / "cells.csv",
        classes_path=results / "tables" / "classes.csv",
    )
