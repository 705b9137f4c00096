from pathlib import Path

from babelgrid.analysis.transfer.warnings import list_warnings
from babelgrid.runtime.job import job

with job(snakemake.log[0]):
    list_warnings(
        posts={Path(path).stem: path for path in snakemake.input.posts},
        scores_path=snakemake.input.scores,
        label_bias_path=snakemake.input.label_bias,
        exposure_path=snakemake.input.exposure,
        untuned={Path(path).stem: path for path in snakemake.input.untuned},
        out=snakemake.output[0],
    )
