from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.release import Release
from babelgrid.job import job
from babelgrid.release.name import release_name
from babelgrid.release.push import describe_push
from babelgrid.release.weights import public_base

with job(snakemake.log[0]):
    blocks, owner = snakemake.params.settings, snakemake.params.push["owner"]
    public = public_base(Path(snakemake.input.base), Base(**blocks["base"]), Release(**blocks["release"]))
    names = [release_name(snakemake.params.experiment, *row, public.is_llama) for row in snakemake.params.rows]
    folders = {f"{owner}/{name}": Path(folder) for name, folder in zip(names, snakemake.input.folders, strict=True)}
    print(describe_push(folders, snakemake.params.push["private"]), flush=True)
