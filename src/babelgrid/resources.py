"""Estimate the host memory and minutes that a job with the model requests from a cluster, by size of the base."""

import re
from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.rivals import PretrainedEncoder

# Training on the lab's base takes 600 MB (results/lab/benchmarks), and Snakemake in the same job 275 MB.
JOB_MB = 1500
# Estimate: 16-bit weights are read through host memory shard by shard, and 4-bit weights are staged there.
MB_PER_BILLION = 4000
LAB_MINUTES = 30
MINUTES = 240
UNKNOWN_BILLIONS = 8.0
# Estimate: training needs the weights in 32 bits, their gradients and two moments, and activations.
ENCODER_FILES_IN_MEMORY = 8
UNKNOWN_ENCODER_MB = 8000


def billions_of_parameters(base: Base) -> float:
    """Return the size of a base in 10^9 parameters: 0 for the lab's base, else from its folder or its name, else 8.

    Opens no file and uses no network, so a workflow can call this each time it is parsed.
    """
    if base.lab:
        return 0.0
    if base.folder:
        return parameters_in(Path(base.folder).expanduser()) / 1e9 or UNKNOWN_BILLIONS
    named = re.search(r"(\d+(?:\.\d+)?)([bm])(?![a-z])", (base.hub or Path(base.gguf or "").name).lower())
    if named is None:
        return UNKNOWN_BILLIONS
    return float(named[1]) / (1 if named[2] == "b" else 1000)


def parameters_in(folder: Path) -> float:
    """Return the number of parameters in a base's folder, from the size of its weight files (16 bits each)."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2


def host_memory_mb(base: Base) -> int:
    """Return the host memory, in MB, that a training or scoring job requests at its first attempt."""
    return JOB_MB + round(MB_PER_BILLION * billions_of_parameters(base))


def minutes(base: Base) -> int:
    """Return the minutes that a training or scoring job requests at its first attempt."""
    return LAB_MINUTES if base.lab else MINUTES


def encoder_memory_mb(encoder: PretrainedEncoder) -> int:
    """Return the host memory, in MB, that a job with a rival's encoder requests at its first attempt."""
    if encoder.lab:
        return JOB_MB
    if encoder.folder is None:
        return UNKNOWN_ENCODER_MB
    size = sum(path.stat().st_size for path in Path(encoder.folder).expanduser().glob("*.safetensors"))
    return JOB_MB + round(ENCODER_FILES_IN_MEMORY * size / 1e6)
