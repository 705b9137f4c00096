from pathlib import Path

from babelgrid.analysis.scores.baselines import write_baselines
from babelgrid.mixture import Mixture
from babelgrid.posts.check import check_counts
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    check_counts(Path(snakemake.params.counts), snakemake.params.needs)
    write_baselines(
        {Path(path).stem: Path(path) for path in snakemake.input.train},
        {Path(path).stem: Path(path) for path in snakemake.input.test},
        mixture=Mixture.from_settings(snakemake.params.mixture),
        labels=snakemake.params.labels,
        seed=int(snakemake.wildcards.seed),
        budget=snakemake.params.budget,
        out=Path(snakemake.output[0]),
    )
