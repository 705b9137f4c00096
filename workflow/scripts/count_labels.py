from pathlib import Path

from babelgrid.posts.check import count_labels
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    count_labels(Path(snakemake.input.posts), snakemake.params.needs, Path(snakemake.output[0]))
