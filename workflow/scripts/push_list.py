from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.release import Release
from babelgrid.release.push import describe_push, repository_of
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    blocks = snakemake.params.settings
    base, settings = Base(**blocks["base"]), Release(**blocks["release"])
    rows = [(snakemake.params.experiment, mixture, seed) for mixture, seed in snakemake.params.rows]
    repositories = [repository_of(row, Path(snakemake.input.base), base, settings) for row in rows]
    folders = dict(zip(repositories, map(Path, snakemake.input.folders), strict=True))
    print(describe_push(folders, settings.push.private), flush=True)
