from pathlib import Path

from babelgrid.model.hub import prefetch_adapter
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    prefetch_adapter(snakemake.params.hub, snakemake.params.revision, Path(snakemake.output.weights).parent)
