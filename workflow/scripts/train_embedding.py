from pathlib import Path

from babelgrid.mixture import Mixture
from babelgrid.posts.check import check_counts
from babelgrid.rivals.linear import train_embedding
from babelgrid.runtime.job import job
from babelgrid.runtime.usage import measured

with job(snakemake.log[0]), measured(snakemake.output.usage) as usage:
    check_counts(Path(snakemake.params.counts), snakemake.params.needs)
    mixture = Mixture.from_settings(snakemake.params.mixture)
    train_embedding(
        dict(zip(mixture.all_languages, map(Path, snakemake.input.posts), strict=True)),
        dict(zip(mixture.all_languages, map(Path, snakemake.input.embeddings), strict=True)),
        mixture=mixture,
        labels=snakemake.params.labels,
        seed=int(snakemake.wildcards.seed),
        budget=snakemake.params.budget,
        out=Path(snakemake.output.classifier),
        usage=usage,
    )
