from pathlib import Path

from babelgrid.figures.bias import draw_exposure_bias
from babelgrid.figures.picture import GridTables, Picture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_exposure_bias(
        GridTables(snakemake.input.cells, snakemake.input.scores, snakemake.input.exposure),
        Picture(
            snakemake.wildcards.view,
            out_stem=Path(snakemake.output.svg).with_suffix(""),
            **snakemake.params.look,
        ),
    )
