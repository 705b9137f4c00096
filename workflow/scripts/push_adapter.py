from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.release import Release
from babelgrid.release.push import push_adapter, repository_of
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    settings = Release(**snakemake.params.release)
    row = (snakemake.params.experiment, snakemake.wildcards.mixture, int(snakemake.wildcards.seed))
    base = Base(**snakemake.params.settings["base"])
    repository = repository_of(row, Path(snakemake.input.base), base, settings)
    push_adapter(Path(snakemake.input.folder), repository, settings.push.private, Path(snakemake.output[0]))
