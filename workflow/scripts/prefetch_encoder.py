from pathlib import Path

from babelgrid.config.rivals import PretrainedEncoder
from babelgrid.rivals.files import prefetch_encoder
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    prefetch_encoder(
        f"rivals.{snakemake.wildcards.system}",
        PretrainedEncoder(**snakemake.params.place),
        Path(snakemake.output[0]),
        Path(snakemake.input.lab[0]) if snakemake.input.lab else None,
    )
