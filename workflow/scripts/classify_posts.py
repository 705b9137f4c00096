from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: libraries read its settings on import)
from babelgrid.base_files import base_folder
from babelgrid.classify.job import Classified, Classifier, classify
from babelgrid.classify.reader import Archive, Slice
from babelgrid.config.base import Base
from babelgrid.config.classify import Classify
from babelgrid.config.finetune import Predict
from babelgrid.config.prompt import Prompt, read_labels
from babelgrid.recorded import check_adapters
from babelgrid.runtime.gpu_slots import hold_gpu
from babelgrid.runtime.job import job, limit_threads
from babelgrid.runtime.usage import measured

with (
    job(snakemake.log[0]),
    hold_gpu(snakemake.resources.jobs_per_gpu),
    measured(snakemake.output.usage, energy=snakemake.resources.energy) as usage,
):
    # One thread is reserved for the process that reads and tokenises.
    limit_threads(max(1, snakemake.threads - 1))
    blocks, part = snakemake.params.settings, snakemake.params.part
    check_adapters(map(Path, snakemake.input.provenance), blocks, Path(snakemake.input.base))
    archive = Archive(
        Slice(Path(snakemake.params.archive), part["first"], part["rows"]),
        Classify(**blocks["classify"]),
        snakemake.params.aliases,
        Prompt(**blocks["prompt"]),
        str(base_folder(snakemake.input.base, tokenizer_only=True)),
    )
    classifier = Classifier(
        Path(snakemake.input.base),
        Base(**blocks["base"]),
        Path(snakemake.params.adapter) if snakemake.params.adapter else None,
        read_labels(blocks["labels"]),
        Predict(**blocks["predict"]),
        snakemake.params.model,
    )
    out = Classified(*(Path(snakemake.output[name]) for name in ("posts", "rejected", "counts")))
    classify(archive, classifier, out, Path(snakemake.params.kept), code=snakemake.params.code, usage=usage)
