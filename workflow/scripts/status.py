from pathlib import Path

from babelgrid.operations.status import describe_status, read_rows
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    grid = snakemake.params.grid
    rows = read_rows(
        grid["rows"],
        grid["untrained"],
        grid["languages"],
        Path(grid["results"]),
        per_cell=grid["per_cell"],
        merged=grid["merged"],
    )
    print(describe_status(rows, grid["languages"], Path(grid["results"], "benchmarks")), flush=True)
