from pathlib import Path

from babelgrid.config.posts import LabPosts
from babelgrid.lab.posts import write_lab_posts
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    write_lab_posts(
        LabPosts(**snakemake.params.lab),
        snakemake.params.seed,
        Path(snakemake.output[0]),
        snakemake.params.get("pivot"),
    )
