from pathlib import Path

from babelgrid.analysis.transfer.rivals import measure_rivals
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    measure_rivals(
        Path(snakemake.input.replicates),
        min_posts=snakemake.params.min_posts,
        out=Path(snakemake.output[0]),
    )
