from pathlib import Path

from babelgrid.rivals.linear import predict_embedding
from babelgrid.runtime.job import job
from babelgrid.runtime.usage import measured

with job(snakemake.log[0]), measured(snakemake.output.usage) as usage:
    predict_embedding(
        Path(snakemake.input.classifier),
        dict(zip(snakemake.params.languages, map(Path, snakemake.input.embeddings), strict=True)),
        {Path(path).stem: Path(path) for path in snakemake.output.predictions},
        labels=snakemake.params.labels,
        settings=snakemake.params.settings,
        usage=usage,
    )
