from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.mixture import Mixture
from babelgrid.model.merging import merge_adapters
from babelgrid.runtime.job import job, limit_threads

with job(snakemake.log[0]):
    limit_threads(snakemake.threads)
    recipe = snakemake.params.mixture
    merge_adapters(
        [Path(path).parent for path in snakemake.input.parents],
        Path(snakemake.input.base),
        Path(snakemake.output.weights).parent,
        merge=Mixture.from_settings(recipe).merge,
        settings={
            **snakemake.params.settings,
            "mixture": snakemake.wildcards.mixture,
            "seed": int(snakemake.wildcards.seed),
            "budget": snakemake.params.budget,
            "merge": recipe["merge"],
        },
    )
