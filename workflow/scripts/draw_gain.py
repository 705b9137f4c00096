from pathlib import Path

from babelgrid.figures.gain import draw_gain
from babelgrid.job import job

with job(snakemake.log[0]):
    draw_gain(
        Path(snakemake.input.cells),
        Path(snakemake.input.exposure),
        view=snakemake.wildcards.view,
        metric=snakemake.params.metric,
        note=snakemake.params.note,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
    )
