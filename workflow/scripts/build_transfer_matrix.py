from pathlib import Path

from babelgrid.analysis.transfer import build_transfer_matrix
from babelgrid.job import job

with job(snakemake.log[0]):
    build_transfer_matrix(
        Path(snakemake.input.cells), snakemake.params.metric, snakemake.params.languages, Path(snakemake.output[0])
    )
