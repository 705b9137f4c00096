"""Estimate the host memory, threads and minutes that a job with the model requests, by size of the base."""

import math
import os
import re
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open

from babelgrid.config.base import Base
from babelgrid.config.rivals import PretrainedEncoder

# Training on the lab's base takes 600 MB (results/lab/benchmarks), and Snakemake in the same job 275 MB.
JOB_MB = 1500
# Estimate: 16-bit weights are read through host memory shard by shard, and 4-bit weights are staged there.
MB_PER_BILLION = 4000
LAB_MINUTES = 30
MINUTES = 240
UNKNOWN_BILLIONS = 8.0
# Width of a decoder per layer, as in most families of models, and bytes of activations per token, layer and width.
WIDTH_PER_LAYER = 64
ACTIVATION_BYTES = 34
# On a GPU node: one thread drives the GPU, the others load data and compile.
GPU_JOB_THREADS = 4
# Estimate: training needs the weights in 32 bits, their gradients and two moments, and activations.
ENCODER_FILES_IN_MEMORY = 8
UNKNOWN_ENCODER_MB = 8000


def billions_of_parameters(base: Base) -> float:
    """Return the size of a base in 10^9 parameters: 0 for the lab's base, else from its folder or its name, else 8.

    Reads at most the headers of files and uses no network, so a workflow can call this each time it is parsed.
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
    """Return the number of parameters in a base's folder, from the shapes in its safetensors files.

    A file that cannot be read counts by its size, with 16 bits per parameter; loading the base reports it.
    """
    return sum(map(_parameters_in_file, folder.glob("*.safetensors")), 0.0)


def _parameters_in_file(path: Path) -> float:
    try:
        with safe_open(path, framework="numpy") as tensors:
            return float(sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys()))  # noqa: SIM118
    except (OSError, SafetensorError):
        return path.stat().st_size / 2


def host_memory_mb(base: Base) -> int:
    """Return the host memory, in MB, that a training or scoring job with a GPU requests at its first attempt."""
    return JOB_MB + round(MB_PER_BILLION * billions_of_parameters(base))


def cpu_memory_mb(base: Base, tokens: int) -> int:
    """Return the memory, in MB, that a training or scoring job needs on a CPU in float32.

    tokens: largest number of tokens in one forward and backward pass.
    A weight takes four bytes in memory and four in the mapped file. Activations follow Korthikanti et al. (2022, arXiv
    2205.05198, equation 2 without attention scores), doubled for 32 bits. The decoder is taken to be 64 times as wide
    as deep.
    """
    if base.lab:
        return JOB_MB
    parameters = 1e9 * billions_of_parameters(base)
    layers = math.cbrt(parameters / (12 * WIDTH_PER_LAYER**2))
    activations = 2 * ACTIVATION_BYTES * tokens * layers * (WIDTH_PER_LAYER * layers)
    return JOB_MB + int((8 * parameters + activations) / 1e6)


def has_gpu() -> bool:
    """Return whether this machine has the driver of an NVIDIA GPU."""
    return shutil.which("nvidia-smi") is not None


def cpu_threads(job_mb: int) -> int:
    """Return the threads of a job on a machine without a GPU: one, unless memory is short.

    Jobs side by side with one thread each use cores better than one job with many threads. If one job per core does not
    fit in the machine's memory, each job takes the cores that come with its share of memory, so that Snakemake starts
    no more jobs than fit.
    """
    cores = os.cpu_count() or 1
    return max(1, min(cores, math.ceil(cores * job_mb / machine_memory_mb())))


def machine_memory_mb() -> float:
    """Return the memory of this machine in MB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6


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
