from babelgrid.analysis.exposure.regression import regress_exposure
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    regress_exposure(
        dict(zip(map(tuple, snakemake.params.cells), snakemake.input.predictions, strict=True)),
        exposure_path=snakemake.input.exposure,
        posts_report=next(iter(snakemake.input.posts_report), None),
        replicates_path=snakemake.input.replicates,
        views=snakemake.params.views,
        min_posts=snakemake.params.min_posts,
        seed=snakemake.params.seed,
        out=snakemake.output[0],
    )
