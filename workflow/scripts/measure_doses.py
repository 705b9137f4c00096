from babelgrid.analysis.doses import measure_doses
from babelgrid.job import job
from babelgrid.mixture import Mixture

with job(snakemake.log[0]):
    measure_doses(
        snakemake.input.replicates,
        [Mixture.from_settings(mixture) for mixture in snakemake.params.mixtures],
        min_posts=snakemake.params.min_posts,
        doses_path=snakemake.output.doses,
        fits_path=snakemake.output.fits,
        curves_path=snakemake.output.curves,
    )
