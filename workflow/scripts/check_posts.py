from pathlib import Path

from babelgrid.job import job
from babelgrid.mixture import Mixture
from babelgrid.posts.check import check_posts

with job(snakemake.log[0]):
    grid = snakemake.params.grid
    check_posts(
        Path(snakemake.input.posts),
        train=grid["train"],
        test=grid["test"],
        labels=grid["labels"],
        mixtures=[Mixture.from_settings(mixture) for mixture in grid["mixtures"]],
        budget=grid["budget"],
        out=Path(snakemake.output[0]),
    )
