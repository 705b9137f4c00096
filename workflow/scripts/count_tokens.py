from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.prompt import Prompt
from babelgrid.prompts.count import count_post_tokens
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    count_post_tokens(
        Prompt(**snakemake.params.settings["prompt"]),
        Path(snakemake.input.posts),
        Path(snakemake.input.base),
        snakemake.params.languages,
        Path(snakemake.output[0]),
    )
