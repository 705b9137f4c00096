from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.base import LabBase
from babelgrid.lab.masked import pretrain_encoder
from babelgrid.runtime.job import job
from babelgrid.runtime.usage import measured

with job(snakemake.log[0]), measured(snakemake.output.usage, energy=snakemake.resources.energy) as usage:
    pretrain_encoder(
        LabBase(**snakemake.params.lab),
        snakemake.params.seed,
        snakemake.threads,
        Path(snakemake.output.encoder),
        usage,
    )
