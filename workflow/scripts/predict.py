from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.base import Base
from babelgrid.config.finetune import Predict
from babelgrid.config.prompt import Prompt, read_labels
from babelgrid.model.predict import predict
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
    posts = {Path(path).stem: Path(path) for path in snakemake.input.posts}
    predict(
        Path(snakemake.input.base),
        Path(snakemake.input.adapter[0]).parent if snakemake.input.adapter else None,
        posts,
        {Path(path).stem: Path(path) for path in snakemake.output.predictions},
        Path(snakemake.params.kept),
        base=Base(**blocks["base"]),
        prompt=Prompt(**blocks["prompt"]),
        labels=read_labels(blocks["labels"]),
        settings=Predict(**blocks["predict"]),
        code=snakemake.params.code,
        usage=usage,
        pivot=blocks.get("pivot"),
    )
