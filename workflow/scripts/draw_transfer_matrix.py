from pathlib import Path

from babelgrid.figures.matrix import draw_transfer_matrix
from babelgrid.job import job

with job(snakemake.log[0]):
    draw_transfer_matrix(
        Path(snakemake.input.cells),
        Path(snakemake.input.exposure),
        view=snakemake.wildcards.view,
        metric=snakemake.params.metric,
        table=snakemake.params.table,
        note=snakemake.params.note,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
    )
