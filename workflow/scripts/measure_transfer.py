from babelgrid.analysis.transfer.donors import measure_transfer
from babelgrid.mixture import Mixture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    measure_transfer(
        snakemake.input.replicates,
        [Mixture.from_settings(mixture) for mixture in snakemake.params.mixtures],
        min_posts=snakemake.params.min_posts,
        transfer_path=snakemake.output.transfer,
        donors_path=snakemake.output.donors,
        contrasts_path=snakemake.output.contrasts,
        clusters_path=snakemake.output.clusters,
    )
