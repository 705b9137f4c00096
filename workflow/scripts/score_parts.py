from pathlib import Path

from babelgrid.analysis.scores.parts import score_parts
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    score_parts(
        dict(zip(map(tuple, snakemake.params.cells), snakemake.input.predictions, strict=True)),
        snakemake.params.views,
        Path(snakemake.output[0]),
    )
