from babelgrid.analysis.exposure.intervention import measure_intervention
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    measure_intervention(
        replicates_path=snakemake.input.replicates,
        against_replicates=snakemake.input.against_replicates,
        exposure_path=snakemake.input.exposure,
        against_exposure=snakemake.input.against_exposure,
        trained=snakemake.params.trained,
        min_posts=snakemake.params.min_posts,
        seed=snakemake.params.seed,
        out=snakemake.output.cells,
        slopes_path=snakemake.output.slopes,
    )
