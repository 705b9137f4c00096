"""Record what a job used: time, posts, tokens, memory and (opt-in) energy, written beside its results."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from babelgrid.errors import UserError
from babelgrid.runtime.files import git_commit, write_json


@dataclass
class Usage:
    """Usage of the working part of a job; `measured` adds the rest.

    After a kill, the record covers only the last attempt: earlier attempts count neither as work nor as time.
    """

    device: str = ""
    posts: int = 0
    """Posts that were trained on (over all epochs), scored or classified."""
    tokens: int = 0
    """Tokens of these posts' prompts that the model read."""
    work_seconds: float = 0.0
    """Time from the loaded base to the last result; the rest of wall_seconds is start-up and writing."""
    gpu_memory_mb: float | None = None
    """Peak memory used on the GPU."""


@contextmanager
def measured(path: str | Path, *, energy: bool = False) -> Iterator[Usage]:
    """Yield a record for the job to fill; if the block succeeds, complete the record and write it as JSON.

    Adds wall_seconds (since this process began), peak_memory_mb (resident, of this process and its largest child),
    energy_kwh (measured or estimated by codecarbon if requested, else null) and git_commit.
    """
    usage = Usage()
    tracker = _start_tracker() if energy else None
    yield usage
    used = None if tracker is None else _stop(tracker)
    kilobytes = [resource.getrusage(whose).ru_maxrss for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    memory = sum(kilobytes) / 1024
    made = {"git_commit": git_commit()}
    whole = {"wall_seconds": round(seconds_of_process(), 2), "peak_memory_mb": round(memory, 1), "energy_kwh": used}
    write_json(path, {**asdict(usage), "work_seconds": round(usage.work_seconds, 3), **whole, **made})


@contextmanager
def working(usage: Usage) -> Iterator[None]:
    """Count the duration of a block as work."""
    start = time.monotonic()
    yield
    usage.work_seconds += time.monotonic() - start


def seconds_of_process() -> float:
    """Return the seconds since this process began, from the fields of proc(5)."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def _start_tracker() -> Any:
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError as error:
        raise UserError("machine.energy needs codecarbon, which is not installed: pip install codecarbon") from error
    # Only the energy is used, so the country, which only affects grams of CO2, does not matter.
    tracker = OfflineEmissionsTracker(
        country_iso_code="DEU", save_to_file=False, log_level="error", tracking_mode="process", allow_multiple_runs=True
    )
    tracker.start()
    return tracker


def _stop(tracker: Any) -> float:
    tracker.stop()
    return float(tracker.final_emissions_data.energy_consumed)
