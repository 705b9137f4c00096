from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.base import Base
from babelgrid.config.prompt import Prompt, read_labels
from babelgrid.mixture import Mixture
from babelgrid.model.finetune import finetune
from babelgrid.posts.check import check_counts
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
    blocks = snakemake.params.settings
    mixture = Mixture.from_settings(snakemake.params.mixture)
    finetune(
        dict(zip(mixture.all_languages, map(Path, snakemake.input.posts), strict=True)),
        Path(snakemake.input.base),
        Path(snakemake.output.weights).parent,
        Path(snakemake.params.checkpoints),
        Path(snakemake.params.trackers),
        mixture=mixture,
        budget=snakemake.params.budget,
        seed=int(snakemake.wildcards.seed),
        base=Base(**blocks["base"]),
        prompt=Prompt(**blocks["prompt"]),
        labels=read_labels(blocks["labels"]),
        settings=snakemake.params.finetune,
        code=snakemake.params.code,
        usage=usage,
        pivot=blocks.get("pivot"),
    )
