from babelgrid.analysis.transfer.doses import measure_doses
from babelgrid.mixture import Mixture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    measure_doses(
        snakemake.input.replicates,
        [Mixture.from_settings(mixture) for mixture in snakemake.params.mixtures],
        min_posts=snakemake.params.min_posts,
        doses_path=snakemake.output.doses,
        fits_path=snakemake.output.fits,
        curves_path=snakemake.output.curves,
    )
