from pathlib import Path

from babelgrid.analysis.scores.matrix import build_transfer_matrix
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    build_transfer_matrix(
        Path(snakemake.input.cells), snakemake.params.metric, snakemake.params.languages, Path(snakemake.output[0])
    )
