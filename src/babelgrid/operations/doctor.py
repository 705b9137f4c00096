"""Check whether this machine is ready for an experiment: one line per check, either OK or what to do."""

import os
import shutil
import subprocess
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import try_to_load_from_cache

from babelgrid.config.base import Base
from babelgrid.errors import UserError
from babelgrid.figures.fonts import describe_missing, missing
from babelgrid.model.base import choose_device
from babelgrid.model.base_types import judge_base
from babelgrid.operations.training_check import loss_of_three_steps
from babelgrid.resources import billions_of_parameters, has_gpu, machine_memory_mb

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "lustre", "beegfs", "gpfs", "ceph", "fuse.sshfs", "afs", "9p"}
GIGABYTE = 1e9
BILLIONS_FOR_A_CPU = 1
"""Largest base, in 10^9 parameters, for which `doctor` does not ask for a GPU."""
COPIES_FOR_GGUF = 5
"""Memory for converting a base from GGUF, in copies of its weights in 16 bits (docs/real-bases.md)."""
# NF4's 16 levels: quantiles of a normal distribution, scaled to [-1, 1] (Dettmers et al. 2023, arXiv 2305.14314,
# appendix E).
NF4_LEVELS = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634),
    *(0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
NF4_BLOCK = 64


@dataclass(frozen=True)
class Finding:
    """Result of a check."""

    name: str
    problem: bool
    words: str

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{'FIX' if self.problem else 'OK':<4}{self.name:<14}{self.words}"


def examine(requirements: Path, results: Path, base: Base, job_mb: int, words: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield a finding for each check as soon as it is done; a check that raises is reported as a problem.

    requirements: file of exact pins. results: folder of all experiments. base: the experiment's base. job_mb: memory
    that a job with it requests, in MB. words: labels and classes that figures will show.
    """
    checks: dict[str, Callable[[], Finding]] = {
        "versions": lambda: check_versions(requirements),
        "GPU": lambda: check_gpu(base),
        "4 bits": check_four_bits,
        "training": check_training,
        "base": lambda: check_base(base),
        "disk": lambda: check_disk(results, base),
        "memory": lambda: check_memory(base, job_mb),
        "SLURM": check_slurm,
        "cache": lambda: check_cache(results),
        "clock": lambda: check_clock(results),
        "fonts": lambda: check_fonts(words),
    }
    for name, check in checks.items():
        try:
            yield check()
        except Exception as error:
            yield Finding(name, True, f"the check itself failed: {type(error).__name__}: {error}")


def check_versions(requirements: Path) -> Finding:
    """Compare the installed packages with the exact pins."""
    pins = [line.split("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    wrong = []
    for name, wanted in (pin.split("==") for pin in pins if "==" in pin):
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "none"
        if found.split("+")[0] != wanted:
            wrong.append(f"{name} {found}, pinned {wanted}")
    if not wrong:
        return Finding("versions", False, f"as pinned in {requirements}")
    advice = f"pip install -c envs/constraints.txt -r {requirements}"
    return Finding("versions", True, f"{'; '.join(wrong)}. Run `{advice}`")


def check_gpu(base: Base) -> Finding:
    """Report the GPU; a missing GPU is a problem only if there is a driver, or for a base too large for a CPU."""
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        kind = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
        words = f"{torch.cuda.get_device_name()}, {free / GIGABYTE:.0f} of {total / GIGABYTE:.0f} GB free, {kind}"
        return Finding("GPU", False, f"{words}, CUDA {torch.version.cuda}")
    if base.lab:
        return Finding("GPU", False, "none, and the lab's base needs none")
    if has_gpu():
        return Finding("GPU", True, "torch finds none, but nvidia-smi exists; install a torch built for CUDA")
    if billions_of_parameters(base) > BILLIONS_FOR_A_CPU:
        return Finding("GPU", True, "torch finds none (no driver here). On a CPU this base takes days; use a GPU")
    ratio = seconds_of_product(torch.bfloat16) / seconds_of_product(torch.float32)
    chosen = str(choose_device(base).dtype).removeprefix("torch.")
    words = (
        f"none; this base runs on the CPU in {chosen} (a product in bfloat16 takes {ratio:.2f} x the time of float32)"
    )
    return Finding("GPU", False, words)


def seconds_of_product(dtype: torch.dtype) -> float:
    """Return the shortest of three times that a product of matrices [512, 1024] and [1024, 1024] takes."""
    left, right = torch.ones(512, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
    return min(timeit.repeat(lambda: left @ right, number=1, repeat=3))


def check_four_bits() -> Finding:
    """Quantise to NF4 with bitsandbytes and compare with the paper's arithmetic in numpy."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=(64, NF4_BLOCK)).astype(np.float32))
    packed, state = quantize_4bit(weights.to(device), blocksize=NF4_BLOCK, quant_type="nf4")
    found = dequantize_4bit(packed, state).cpu().numpy()
    expected = quantized_by_hand(weights.numpy())
    error = float(np.abs(found - expected).max())
    if error > 1e-6:
        return Finding("4 bits", True, f"bitsandbytes is off by {error:.1g} on {device}; reinstall the pinned version")
    return Finding("4 bits", False, f"NF4 on {device} matches the numpy reference to {error:.0e}")


def quantized_by_hand(weights: np.ndarray) -> np.ndarray:
    """Return weights [blocks, 64] rounded to NF4: scale each block by its largest value, then round."""
    levels = np.array(NF4_LEVELS, dtype=np.float32)
    scale = np.abs(weights).max(axis=1, keepdims=True)
    nearest = np.abs((weights / scale)[:, :, None] - levels).argmin(axis=2)
    return np.asarray(levels[nearest] * scale)


def check_training() -> Finding:
    """Train a small random base in 4 bits for three steps."""
    first, last = loss_of_three_steps()
    words = f"three steps on a small 4-bit base: loss {first:.3f} to {last:.3f}"
    if not last < first:
        return Finding("training", True, f"{words}: the loss should fall; check the installation of torch and peft")
    return Finding("training", False, words)


def check_base(base: Base) -> Finding:
    """Find the base's forward path from its config.json, if that is on this machine."""
    if base.lab:
        return Finding("base", False, "the experiment pre-trains it; forward path thin")
    if base.gguf:
        return Finding("base", False, "`snakemake prefetch` converts it and finds its forward path")
    if base.folder:
        folder = Path(base.folder).expanduser()
    else:
        cached = try_to_load_from_cache(str(base.hub), "config.json", revision=base.revision)
        if not isinstance(cached, str):
            return Finding("base", False, "not downloaded yet; `snakemake prefetch` finds its forward path")
        folder = Path(cached).parent
    try:
        return Finding("base", False, f"forward path {judge_base(folder)}")
    except UserError as error:
        return Finding("base", True, str(error))


def check_disk(results: Path, base: Base) -> Finding:
    """Compare free space with two copies of the base, because a second copy exists during the download."""
    folder = _existing(results)
    free, needed = shutil.disk_usage(folder).free, max(2 * _bytes_of(base), GIGABYTE)
    words = f"{free / GIGABYTE:.0f} GB free in {folder}, {needed / GIGABYTE:.0f} GB are enough to start"
    return Finding("disk", free < needed, words + ("; free some, or move results" if free < needed else ""))


def check_memory(base: Base, job_mb: int) -> Finding:
    """Compare this machine's memory with what one job requests, or with what the conversion of a GGUF file needs."""
    conversion = COPIES_FOR_GGUF * _bytes_of(base) + 2 * GIGABYTE if base.gguf else 0
    total, needed = 1e6 * machine_memory_mb(), max(1e6 * job_mb, conversion)
    words = f"{total / GIGABYTE:.0f} GB in total, {needed / GIGABYTE:.0f} GB needed for one job"
    return Finding("memory", total < needed, words + ("; use more memory or a smaller base" if total < needed else ""))


def check_slurm() -> Finding:
    """Check that SLURM answers, if it is installed."""
    if not shutil.which("sinfo"):
        return Finding("SLURM", False, "not installed: jobs run here (`--cores`)")
    try:
        result = subprocess.run(["sinfo", "-h", "-o", "%P"], capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return Finding("SLURM", True, "sinfo does not answer within 20 s; ask your site")
    if "configuration source" in result.stderr:
        return Finding("SLURM", False, "installed but not set up: jobs run here (`--cores`)")
    if result.returncode:
        return Finding("SLURM", True, f"sinfo: {result.stderr.strip().splitlines()[-1]}; ask your site")
    return Finding("SLURM", False, f"answers; partitions {', '.join(sorted(set(result.stdout.split())))}")


def check_cache(results: Path) -> Finding:
    """Report which file systems contain models and results."""
    models = Path(os.environ.get("HF_HOME", Path.home() / ".cache/huggingface"))
    kinds = {"models": file_system_of(_existing(models)), "results": file_system_of(_existing(results))}
    words = ", ".join(f"{name} on {kind}" for name, kind in kinds.items())
    if kinds["models"] in NETWORK_FILE_SYSTEMS:
        return Finding("cache", False, f"{words}: loading is slow if many jobs start at once; HF_HOME moves the models")
    return Finding("cache", False, words)


def check_clock(results: Path) -> Finding:
    """Compare this machine's clock with the file system's, because Snakemake compares modification times."""
    with tempfile.NamedTemporaryFile(dir=_existing(results)) as file:
        file.write(b"?")
        file.flush()
        off = Path(file.name).stat().st_mtime - time.time()
    if abs(off) > 2:
        return Finding("clock", True, f"file times are {off:+.0f} s off this machine's clock; synchronise it (NTP)")
    return Finding("clock", False, "agrees with the file system's")


def check_fonts(words: Sequence[str]) -> Finding:
    """Check that there is a font for each script of the words that figures will show."""
    lacking = missing(words)
    if not lacking:
        return Finding("fonts", False, "found for each script of the labels")
    return Finding("fonts", True, "; ".join(describe_missing(script, package) for script, package in lacking.items()))


def file_system_of(path: Path) -> str:
    """Return the type of the file system that contains `path`, from the mounts in proc(5)."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    holding = [(place, kind) for place, kind in mounts if path.resolve().is_relative_to(place)]
    return max(holding, key=lambda mount: len(mount[0]))[1]


def _existing(path: Path) -> Path:
    return next(place for place in [path.absolute(), *path.absolute().parents] if place.exists())


def _bytes_of(base: Base) -> float:
    """Return the size of the base's weights in 16 bits, in bytes."""
    return 2e9 * billions_of_parameters(base)
