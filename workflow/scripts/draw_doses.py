from pathlib import Path

from babelgrid.figures.doses import draw_doses
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_doses(
        snakemake.input.doses,
        snakemake.input.fits,
        snakemake.input.curves,
        view=snakemake.wildcards.view,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        **snakemake.params.look,
    )
