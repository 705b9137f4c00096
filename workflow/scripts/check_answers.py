from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.prompt import read_labels
from babelgrid.prompts.answers import check_answers
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    blocks = snakemake.params.settings
    check_answers(
        snakemake.params.prompt,
        snakemake.wildcards.template,
        read_labels(blocks["labels"]),
        Path(snakemake.input.base),
        Path(snakemake.output[0]),
    )
