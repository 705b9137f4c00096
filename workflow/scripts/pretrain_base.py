from pathlib import Path

import babelgrid.libraries  # noqa: F401  (first: the libraries read what it sets)
from babelgrid.config.base import LabBase
from babelgrid.job import job
from babelgrid.lab.pretrain import pretrain_base

with job(snakemake.log[0]):
    pretrain_base(
        LabBase(**snakemake.params.lab),
        snakemake.params.seed,
        snakemake.threads,
        Path(snakemake.output[0]),
    )
