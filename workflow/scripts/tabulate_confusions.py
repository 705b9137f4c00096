from pathlib import Path

from babelgrid.analysis.scores.confusions import tabulate_confusions
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    tabulate_confusions(
        dict(zip(map(tuple, snakemake.params.cells), snakemake.input.predictions, strict=True)),
        views=snakemake.params.views,
        examples=snakemake.params.examples,
        out=Path(snakemake.output[0]),
    )
