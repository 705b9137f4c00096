from pathlib import Path

from babelgrid.analysis.scores.curves import collect_curves
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    collect_curves(
        dict(zip(map(tuple, snakemake.params.adapters), snakemake.input, strict=True)),
        Path(snakemake.output[0]),
    )
