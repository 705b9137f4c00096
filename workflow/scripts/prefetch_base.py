from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.model.hub import prefetch_base
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    prefetch_base(
        Base(**snakemake.params.settings["base"]),
        Path(snakemake.input.made) if snakemake.input.made else None,
        Path(snakemake.output[0]),
    )
