from pathlib import Path

from babelgrid.analysis.scores.cells import score_cells
from babelgrid.config.analysis import Score
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    grid = snakemake.params.grid
    blocks = snakemake.params.settings
    score_cells(
        dict(zip(map(tuple, grid["cells"]), snakemake.input.predictions, strict=True)),
        dict(zip(map(tuple, grid["rows"]), snakemake.input.baselines, strict=True)),
        views=blocks["views"],
        score=Score(**blocks["score"]),
        seed=snakemake.params.seed,
        cells_path=Path(snakemake.output.cells),
        classes_path=Path(snakemake.output.classes),
    )
