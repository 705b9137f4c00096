from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.model.gguf import convert_base
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    convert_base(Base(**snakemake.params.gguf), Path(snakemake.output[0]))
