from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.rivals.score import predict_encoder
from babelgrid.runtime.gpu_slots import hold_gpu
from babelgrid.runtime.job import job, limit_threads
from babelgrid.runtime.usage import measured

with (
    job(snakemake.log[0]),
    hold_gpu(snakemake.resources.jobs_per_gpu),
    measured(snakemake.output.usage, energy=snakemake.resources.energy) as usage,
):
    limit_threads(snakemake.threads)
    predict_encoder(
        Path(snakemake.input.trained),
        Path(snakemake.input.encoder),
        {Path(path).stem: Path(path) for path in snakemake.input.posts},
        {Path(path).stem: Path(path) for path in snakemake.output.predictions},
        labels=snakemake.params.labels,
        settings=snakemake.params.encoder,
        usage=usage,
    )
