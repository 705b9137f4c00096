import json
import sys
import tempfile
from pathlib import Path

from babelgrid.cost.api_estimate import print_api_estimate
from babelgrid.cost.prices import price_of, read_prices
from babelgrid.mixture import Mixture
from babelgrid.operations.estimate import Workers, count_jobs, print_estimate, read_speed
from babelgrid.runtime.job import job

with job(snakemake.log[0]), tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as config:
    json.dump(snakemake.params.config, config)
    config.flush()
    plan = [sys.executable, "-m", "snakemake", "-n", "--forceall", "--cores", "1", "--configfile", config.name]
    grid = snakemake.params.grid
    counted = Path(snakemake.input.posts), Path(snakemake.input.tokens)
    print_estimate(
        *counted,
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
    if rivals := snakemake.params.rivals:
        print(f"rivals: {rivals} rows, which are not in this estimate", flush=True)
    if api := snakemake.params.api:
        prices = read_prices(snakemake.params.prices)
        print_api_estimate(
            *counted,
            rows=api.rows,
            test_languages=grid["test_languages"],
            price=price_of(api.model, api.base_url, api.dollars_per_million, prices),
            max_tokens=api.max_tokens,
        )
