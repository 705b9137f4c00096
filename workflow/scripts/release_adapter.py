from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.config.base import Base
from babelgrid.config.prompt import Prompt, read_labels
from babelgrid.config.release import Release
from babelgrid.recorded import check_adapters, check_predictions
from babelgrid.release.adapter import release_adapter
from babelgrid.release.card import Row
from babelgrid.release.parity import Cells
from babelgrid.runtime.gpu_slots import hold_gpu
from babelgrid.runtime.job import job, limit_threads

with job(snakemake.log[0]), hold_gpu(snakemake.resources.jobs_per_gpu):
    limit_threads(snakemake.threads)
    blocks = snakemake.params.settings
    files = {
        name: {Path(path).stem: Path(path) for path in snakemake.input[name]}
        for name in ("trained", "posts", "predictions")
    }
    base_path = Path(snakemake.input.base)
    check_adapters([Path(snakemake.input.provenance)], blocks, base_path)
    check_predictions(files["predictions"].values(), blocks, base_path)
    release_adapter(
        Row(
            snakemake.params.experiment,
            snakemake.wildcards.mixture,
            int(snakemake.wildcards.seed),
            Path(snakemake.input.adapter[0]).parent,
            base_path,
            Path(snakemake.input.cells),
            files["trained"],
        ),
        Cells(files["posts"], files["predictions"]),
        Path(snakemake.output[0]),
        Path(snakemake.params.parity),
        base=Base(**blocks["base"]),
        prompt=Prompt(**blocks["prompt"]),
        labels=read_labels(blocks["labels"]),
        settings=Release(**snakemake.params.release),
    )
