from pathlib import Path

from babelgrid.analysis.calibration import measure_calibration
from babelgrid.job import job

with job(snakemake.log[0]):
    measure_calibration(
        dict(zip(map(tuple, snakemake.params.cells), snakemake.input.predictions, strict=True)),
        {Path(path).stem: path for path in snakemake.input.posts},
        views=snakemake.params.views,
        out=snakemake.output[0],
    )
