from pathlib import Path

from babelgrid.job import job
from babelgrid.posts.check import count_labels

with job(snakemake.log[0]):
    count_labels(Path(snakemake.input.posts), snakemake.params.needs, Path(snakemake.output[0]))
