from babelgrid.analysis.transfer.planner import plan_labels
from babelgrid.mixture import Mixture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    plan_labels(
        replicates_path=snakemake.input.replicates,
        exposure_path=snakemake.input.exposure,
        mixtures=[Mixture.from_settings(mixture) for mixture in snakemake.params.mixtures],
        candidates=snakemake.params.candidates,
        view=snakemake.params.view,
        budget=snakemake.params.plan["budget"],
        step=snakemake.params.plan["step"],
        min_posts=snakemake.params.min_posts,
        experiment=snakemake.params.experiment,
        plan_path=snakemake.output.plan,
        scores_path=snakemake.output.scores,
        overlay_path=snakemake.output.overlay,
    )
