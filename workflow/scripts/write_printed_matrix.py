from babelgrid.figures.picture import GridTables
from babelgrid.job import job
from babelgrid.report.printed import write_printed_matrix

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
