from pathlib import Path

from babelgrid.prompts.answers import collect_answers
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    collect_answers(
        dict(zip(snakemake.params.templates, map(Path, snakemake.input), strict=True)), Path(snakemake.output[0])
    )
