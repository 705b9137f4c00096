from pathlib import Path

from babelgrid.analysis.bootstrap.compare import compare_cells
from babelgrid.config.analysis import Score
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    grid = snakemake.params.grid
    blocks = snakemake.params.settings
    compare_cells(
        dict(zip(map(tuple, grid["cells"]), snakemake.input.predictions, strict=True)),
        dict(zip(map(tuple, grid["rows"]), snakemake.input.baselines, strict=True)),
        {Path(path).stem: path for path in snakemake.input.posts},
        views=blocks["views"],
        score=Score(**blocks["score"]),
        seed=snakemake.params.seed,
        out=Path(snakemake.output[0]),
    )
