from pathlib import Path

from babelgrid.classify.shards import divide_archive
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    shards = {name: Path(path) for name, path in snakemake.params.shards.items()}
    divide_archive(shards, snakemake.params.rows_per_job, Path(snakemake.output[0]))
