from pathlib import Path

from babelgrid.posts.extract import extract_posts
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    extract_posts(
        Path(snakemake.params.posts),
        Path(snakemake.input.counts),
        snakemake.wildcards.language,
        Path(snakemake.output[0]),
        translated=snakemake.params.get("translated", False),
    )
