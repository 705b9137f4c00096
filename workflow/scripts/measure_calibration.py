from pathlib import Path

from babelgrid.analysis.scores.calibration import measure_calibration
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    measure_calibration(
        dict(zip(map(tuple, snakemake.params.cells), snakemake.input.predictions, strict=True)),
        {Path(path).stem: path for path in snakemake.input.posts},
        views=snakemake.params.views,
        out=snakemake.output[0],
    )
