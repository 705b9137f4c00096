from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.rivals.embed import embed_posts
from babelgrid.runtime.gpu_slots import hold_gpu
from babelgrid.runtime.job import job, limit_threads
from babelgrid.runtime.usage import measured

with (
    job(snakemake.log[0]),
    hold_gpu(snakemake.resources.jobs_per_gpu),
    measured(snakemake.output.usage, energy=snakemake.resources.energy) as usage,
):
    limit_threads(snakemake.threads)
    embed_posts(
        Path(snakemake.input.posts[0]),
        snakemake.wildcards.part,
        Path(snakemake.input.encoder),
        snakemake.params.settings,
        Path(snakemake.output.embeddings),
        usage,
    )
