from babelgrid.figures.picture import GridTables
from babelgrid.report.printed import write_printed_matrix
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    write_printed_matrix(
        GridTables(snakemake.input.cells, snakemake.input.scores, snakemake.input.exposure),
        snakemake.input.comparisons,
        view=snakemake.wildcards.view,
        metric=snakemake.params.metric,
        table=snakemake.params.table,
        latex=snakemake.output.latex,
        markdown=snakemake.output.markdown,
    )
