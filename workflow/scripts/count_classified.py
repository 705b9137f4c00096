from pathlib import Path

from babelgrid.classify.totals import count_classified
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    count_classified(
        list(map(Path, snakemake.input.posts)),
        list(map(Path, snakemake.input.counts)),
        snakemake.params.labels,
        Path(snakemake.output.files),
        Path(snakemake.output.languages),
    )
