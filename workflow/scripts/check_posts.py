from pathlib import Path

from babelgrid.job import job
from babelgrid.posts.check import check_posts

with job(snakemake.log[0]):
    check_posts(Path(snakemake.input.counts), snakemake.params.needs, Path(snakemake.output[0]))
