"""The memory of this process, and how measurements are written in tables."""

from collections.abc import Mapping
from pathlib import Path


def reset_peak_memory() -> None:
    """Set the kernel's mark of the highest resident memory back to what is resident now (man 5 proc, clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> float:
    """Return the highest resident memory since the last reset, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes) / 2**10


def span(values: Mapping[str, float], digits: int) -> str:
    """Write a `measure.summary` as median (lowest to highest)."""
    return f"{values['median']:.{digits}f} ({values['min']:.{digits}f} to {values['max']:.{digits}f})"
