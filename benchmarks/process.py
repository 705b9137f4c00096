"""Measure the memory of this process and format measurements for tables."""

from collections.abc import Mapping
from pathlib import Path


def reset_peak_memory() -> None:
    """Reset the kernel's record of peak resident memory to the current value (man 5 proc, clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> float:
    """Return the peak resident memory since the last reset, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes) / 2**10


def span(values: Mapping[str, float], digits: int) -> str:
    """Format a `measure.summary` as median (min to max)."""
    return f"{values['median']:.{digits}f} ({values['min']:.{digits}f} to {values['max']:.{digits}f})"
