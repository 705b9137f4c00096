from importlib import import_module
from pathlib import Path

from babelgrid.figures.picture import GridTables, Picture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    module, function = snakemake.params.draw.split(".")
    draw = getattr(import_module(f"babelgrid.figures.{module}"), function)
    tables = [path for name, path in snakemake.input.items() if name != "style"]
    stem = Path(snakemake.output.svg).with_suffix("")
    # The view is a figure's only wildcard.
    look = {**snakemake.params.look, **dict(snakemake.wildcards.items()), "out_stem": stem}
    if snakemake.params.is_of_grid:
        draw(GridTables(*tables[:3]), Picture(**look), *tables[3:])
    else:
        draw(*tables, **look)
