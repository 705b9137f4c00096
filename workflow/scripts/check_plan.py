from babelgrid.analysis.transfer.plan_check import check_plan
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    check_plan(
        replicates_path=snakemake.input.replicates,
        expected_path=snakemake.input.expected,
        view=snakemake.params.view,
        min_posts=snakemake.params.min_posts,
        out=snakemake.output[0],
    )
