from babelgrid.analysis.scores.imported import import_predictions
from babelgrid.config.predictions import Import
from babelgrid.config.prompt import read_labels
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    blocks = snakemake.params.settings
    import_predictions(
        Import(**blocks["predictions"]["import"]),
        labels=read_labels(blocks["labels"]),
        aliases=snakemake.params.aliases,
        mixtures=snakemake.params.mixtures,
        seed=blocks["seeds"][0],
        outputs=dict(zip(map(tuple, snakemake.params.cells), snakemake.output, strict=True)),
    )
