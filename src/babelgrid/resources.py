"""What a job that uses the model asks a cluster for: host memory and minutes, by the size of the base."""

import re
from pathlib import Path

from babelgrid.config.base import Base

# Training on the lab's base takes 600 MB (results/lab/benchmarks), Snakemake in the same job 275 MB.
JOB_MB = 1500
# Weights of 16 bits are read through the host's memory, shard by shard, and 4-bit ones are staged there: reckoned.
MB_PER_BILLION = 4000
LAB_MINUTES = 30
MINUTES = 240
UNKNOWN_BILLIONS = 8.0


def billions_of_parameters(base: Base) -> float:
    """Return the size of a base in 10^9 parameters: none for the lab's, by its files, by its name, or else 8.

    Nothing is opened and nothing is asked of a network, so that a workflow may call this whenever it is read.
    """
    if base.lab:
        return 0.0
    if base.folder:
        return parameters_in(Path(base.folder).expanduser()) / 1e9 or UNKNOWN_BILLIONS
    named = re.search(r"(\d+(?:\.\d+)?)([bm])(?![a-z])", (base.hub or "").lower())
    if named is None:
        return UNKNOWN_BILLIONS
    return float(named[1]) / (1 if named[2] == "b" else 1000)


def parameters_in(folder: Path) -> float:
    """Return the parameters in a base's folder by the size of its weights, of 16 bits each."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2


def host_memory_mb(base: Base) -> int:
    """Return the host memory, in MB, that a training or scoring job asks for at its first attempt."""
    return JOB_MB + round(MB_PER_BILLION * billions_of_parameters(base))


def minutes(base: Base) -> int:
    """Return the minutes that a training or scoring job asks for at its first attempt."""
    return LAB_MINUTES if base.lab else MINUTES
