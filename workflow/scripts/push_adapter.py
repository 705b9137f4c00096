from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.release import Release
from babelgrid.job import job
from babelgrid.release.name import release_name
from babelgrid.release.push import push_adapter
from babelgrid.release.weights import public_base

with job(snakemake.log[0]):
    blocks, push = snakemake.params.settings, snakemake.params.push
    public = public_base(Path(snakemake.input.base), Base(**blocks["base"]), Release(**blocks["release"]))
    name = release_name(
        snakemake.params.experiment, snakemake.wildcards.mixture, int(snakemake.wildcards.seed), public.is_llama
    )
    push_adapter(Path(snakemake.input.folder), f"{push['owner']}/{name}", push["private"], Path(snakemake.output[0]))
