from pathlib import Path

from babelgrid.posts.report import report_posts
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    report_posts(
        Path(snakemake.input.posts),
        Path(snakemake.input.dropped),
        Path(snakemake.input.tokens),
        snakemake.params.labels,
        report_json=Path(snakemake.output.json),
        report_markdown=Path(snakemake.output.markdown),
    )
