from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Predict
from babelgrid.config.prompt import Prompt, read_labels
from babelgrid.operations.probe import probe_speed
from babelgrid.runtime.gpu_slots import hold_gpu
from babelgrid.runtime.job import job, limit_threads

with job(snakemake.log[0]), hold_gpu(snakemake.resources.jobs_per_gpu):
    limit_threads(snakemake.threads)
    blocks = snakemake.params.settings
    probe_speed(
        Path(snakemake.input.posts),
        Path(snakemake.input.base),
        base=Base(**blocks["base"]),
        prompt=Prompt(**blocks["prompt"]),
        labels=read_labels(blocks["labels"]),
        settings=Finetune(**blocks["finetune"]),
        predict=Predict(**blocks["predict"]),
        gpu=snakemake.params.gpu,
        out=Path(snakemake.output[0]),
    )
