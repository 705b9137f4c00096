from pathlib import Path

from babelgrid.figures.calibration import draw_calibration
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_calibration(
        snakemake.input.calibration,
        view=snakemake.wildcards.view,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        **snakemake.params.look,
    )
