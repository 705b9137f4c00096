from pathlib import Path

from babelgrid.figures.matrix import draw_transfer_matrix
from babelgrid.figures.picture import GridTables, Picture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_transfer_matrix(
        GridTables(snakemake.input.cells, snakemake.input.scores, snakemake.input.exposure),
        Picture(
            snakemake.wildcards.view,
            out_stem=Path(snakemake.output.svg).with_suffix(""),
            **snakemake.params.look,
        ),
    )
