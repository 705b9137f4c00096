from pathlib import Path

from babelgrid.job import job
from babelgrid.model.hub import prefetch_adapter

with job(snakemake.log[0]):
    prefetch_adapter(snakemake.params.hub, snakemake.params.revision, Path(snakemake.output.weights).parent)
