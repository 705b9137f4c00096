from pathlib import Path

from babelgrid.figures.curves import draw_curves
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_curves(
        snakemake.input.curves,
        snakemake.input.exposure,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        **snakemake.params.look,
    )
