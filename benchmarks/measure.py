"""Measure commands, describe the environment and write results, for all benchmarks."""

import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "snakemake",
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "trl",
    "lm_eval",
    "pandas",
    "pyarrow",
    "numpy",
)
"""Packages whose versions are recorded if they are installed."""


@dataclass(frozen=True)
class Measured:
    """The cost of one command, including its child processes."""

    wall_s: float
    cpu_s: float
    """User and system time of the process and of every child that it waited for."""
    peak_mb: float
    """Peak resident memory in MiB: the sum over the process tree (sampled) or that of its largest process (from the
    kernel), whichever is higher. The sum counts pages shared by two processes twice."""
    output: str
    """Standard output and standard error, combined."""


def run_measured(
    command: Sequence[str],
    *,
    folder: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    sample_s: float = 0.05,
) -> Measured:
    """Run a command and return its cost; raise `RuntimeError` with the end of its output if it fails.

    environment: variables to add to those of this process.
    sample_s: seconds between two samples of the process tree's memory.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read() if process.stdout else ""))
    reader.start()
    peak = 0
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        peak = max(peak, _resident_bytes(process.pid))
        time.sleep(sample_s)
    wall = time.perf_counter() - start
    reader.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{shlex.join(command)} exited with {process.returncode}:\n{''.join(output)[-3000:]}")
    peak_mb = max(peak / 2**20, usage.ru_maxrss / 2**10)
    return Measured(wall, usage.ru_utime + usage.ru_stime, peak_mb, "".join(output))


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the median, minimum and maximum of repeated measurements."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def environment() -> dict[str, Any]:
    """Return a description of the run: hardware, versions, thread settings, git commit, date (UTC) and command."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "hardware": _hardware(),
        "versions": {"python": platform.python_version(), **_versions()},
        "threads": {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ},
        "git_commit": _git_commit(),
    }


def write_result(name: str, record: Mapping[str, Any]) -> Path:
    """Write benchmarks/results/<name>.json, starting with the environment; return its path.

    The file is replaced as a whole, so a run that is stopped leaves the last complete record.
    """
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    content = record if "environment" in record else {"environment": environment(), **record}
    written = path.with_suffix(".tmp")
    written.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    written.replace(path)
    return path


class Record:
    """A result that is written again after each row, so that a run that is stopped loses nothing."""

    def __init__(self, name: str | None, **about: Any) -> None:
        """Start benchmarks/results/<name>.json, or keep the rows in memory only (None)."""
        self.name = name
        # Described once: the record itself changes what git says about the working tree.
        self.content: dict[str, Any] = {"environment": environment() if name else {}, **about, "rows": []}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the rows so far."""
        return self.content["rows"]  # type: ignore[no-any-return]

    def add(self, row: Mapping[str, Any]) -> None:
        """Print a row as one line of JSON, and write the record with it."""
        print(json.dumps(row), flush=True)
        self.rows.append(dict(row))
        self.write()

    def write(self) -> None:
        """Write the record, unless it is kept in memory only."""
        if self.name:
            write_result(self.name, self.content)


def _resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants; 0 if it has ended."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _hardware() -> dict[str, Any]:
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": _gpus(),
        "system": platform.platform(),
    }


def _gpus() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return listed.stdout.splitlines() if listed.returncode == 0 else []


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return listed.stdout.strip() or None
