from babelgrid.analysis.transfer.claims import judge_claims
from babelgrid.mixture import Mixture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    judge_claims(
        replicates_path=snakemake.input.replicates,
        regression_path=snakemake.input.regression,
        exposure_path=snakemake.input.exposure,
        mixtures=[Mixture.from_settings(mixture) for mixture in snakemake.params.mixtures],
        share_table=snakemake.params.share_table,
        min_posts=snakemake.params.min_posts,
        out=snakemake.output[0],
    )
