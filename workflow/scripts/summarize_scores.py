from pathlib import Path

from babelgrid.analysis.bootstrap.intervals import summarize_scores
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    summarize_scores(Path(snakemake.input.replicates), snakemake.params.min_posts, Path(snakemake.output[0]))
