from pathlib import Path

from babelgrid.figures.cost import draw_cost
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    draw_cost(snakemake.input.cost, **snakemake.params.look, out_stem=Path(snakemake.output.svg).with_suffix(""))
