from pathlib import Path

from babelgrid.figures.donors import draw_donors
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_donors(
        snakemake.input.donors,
        view=snakemake.wildcards.view,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        **snakemake.params.look,
    )
