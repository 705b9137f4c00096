from pathlib import Path

from babelgrid.analysis.exposure.exposure import measure_exposure
from babelgrid.mixture import Mixture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    grid = snakemake.params.grid
    exposure = snakemake.params.settings["exposure"]
    measure_exposure(
        posts={Path(path).stem: Path(path) for path in snakemake.input.posts},
        tokens_path=Path(snakemake.input.tokens) if snakemake.input.tokens else None,
        mixtures=[Mixture.from_settings(mixture) for mixture in snakemake.params.mixtures],
        seeds=grid["seeds"],
        budget=grid["budget"],
        epochs=grid["epochs"],
        tables=exposure["tables"],
        lab_exposure=Path(snakemake.input.lab, "exposure.json") if snakemake.input.lab else None,
        pretraining_tokens=exposure["pretraining_tokens"],
        languages=grid["languages"],
        out=Path(snakemake.output[0]),
    )
