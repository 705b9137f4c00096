import json
import sys
import tempfile
from pathlib import Path

from babelgrid.job import job
from babelgrid.mixture import Mixture
from babelgrid.operations.estimate import Workers, count_jobs, print_estimate, read_speed

with job(snakemake.log[0]), tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as config:
    json.dump(snakemake.params.config, config)
    config.flush()
    plan = [sys.executable, "-m", "snakemake", "-n", "--forceall", "--cores", "1", "--configfile", config.name]
    grid = snakemake.params.grid
    print_estimate(
        Path(snakemake.input.posts),
        Path(snakemake.input.tokens),
        Path(snakemake.input.base),
        read_speed(Path(snakemake.input.speed)),
        Path(snakemake.params.benchmarks),
        rows=[(Mixture.from_settings(mixture), seed) for mixture, seed in grid["rows"]],
        budget=grid["budget"],
        epochs=grid["epochs"],
        test_languages=grid["test_languages"],
        per_cell=grid["per_cell"],
        jobs=count_jobs([*plan, "--snakefile", snakemake.params.snakefile]),
        workers=Workers(**snakemake.params.workers),
    )
