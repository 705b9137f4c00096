from pathlib import Path

from babelgrid.job import job
from babelgrid.posts.divide import divide_archive

with job(snakemake.log[0]):
    shards = {name: Path(path) for name, path in snakemake.params.shards.items()}
    divide_archive(shards, snakemake.params.rows_per_job, Path(snakemake.output[0]))
