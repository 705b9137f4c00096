from pathlib import Path

from babelgrid.figures.confusion import draw_confusion
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_confusion(
        snakemake.input.confusions,
        view=snakemake.wildcards.view,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        **snakemake.params.look,
    )
