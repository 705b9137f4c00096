from babelgrid.analysis.transfer.merged_rows import measure_merged
from babelgrid.mixture import Mixture
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    measure_merged(
        snakemake.input.replicates,
        snakemake.input.cells,
        [Mixture.from_settings(mixture) for mixture in snakemake.params.mixtures],
        metric=snakemake.params.metric,
        min_posts=snakemake.params.min_posts,
        out=snakemake.output.merged,
        cells_out=snakemake.output.cells,
    )
