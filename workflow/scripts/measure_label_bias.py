from pathlib import Path

from babelgrid.analysis.bootstrap.label_bias import measure_label_bias
from babelgrid.config.analysis import Score
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    blocks = snakemake.params.settings
    measure_label_bias(
        dict(zip(map(tuple, snakemake.params.cells), snakemake.input.predictions, strict=True)),
        {Path(path).stem: path for path in snakemake.input.posts},
        views=blocks["views"],
        score=Score(**blocks["score"]),
        seed=snakemake.params.seed,
        out=snakemake.output[0],
    )
