from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.mixture import Mixture
from babelgrid.posts.check import check_counts
from babelgrid.rivals.encoder import train_encoder
from babelgrid.runtime.gpu_slots import hold_gpu
from babelgrid.runtime.job import job, limit_threads
from babelgrid.runtime.usage import measured

with (
    job(snakemake.log[0]),
    hold_gpu(snakemake.resources.jobs_per_gpu),
    measured(snakemake.output.usage, energy=snakemake.resources.energy) as usage,
):
    check_counts(Path(snakemake.params.counts), snakemake.params.needs)
    limit_threads(snakemake.threads)
    mixture = Mixture.from_settings(snakemake.params.mixture)
    train_encoder(
        dict(zip(mixture.all_languages, map(Path, snakemake.input.posts), strict=True)),
        Path(snakemake.input.encoder),
        Path(snakemake.output.trained).parent,
        mixture=mixture,
        labels=snakemake.params.labels,
        seed=int(snakemake.wildcards.seed),
        budget=snakemake.params.budget,
        settings=snakemake.params.encoder,
        usage=usage,
    )
