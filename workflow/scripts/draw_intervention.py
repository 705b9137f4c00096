from pathlib import Path

from babelgrid.figures.intervention import draw_intervention
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_intervention(
        snakemake.input.cells,
        snakemake.input.slopes,
        view=snakemake.wildcards.view,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        **snakemake.params.look,
    )
