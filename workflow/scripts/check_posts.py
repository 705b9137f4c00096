from pathlib import Path

from babelgrid.posts.check import check_posts
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    check_posts(Path(snakemake.input.counts), snakemake.params.needs, Path(snakemake.output[0]))
