"""Start Snakemake safely: only one master per experiment, and no jobs left running from a killed master.

    python -m babelgrid.launch --workflow-profile profiles/slurm --profile profiles/slurm/site

takes the arguments of `snakemake`. Jobs outlive a master that was killed (kill -9, a rebooted login node), and plain
Snakemake would submit them a second time. This module first cancels them, waits until they have ended, and removes
Snakemake's lock.
"""

import argparse
import fcntl
import getpass
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from babelgrid.config.load import read_experiment
from babelgrid.errors import UserError
from babelgrid.runtime.failures import describe_error, refusal
from babelgrid.runtime.job import is_running
from babelgrid.runtime.ownership import open_file

SECONDS_TO_WAIT = 600
SECONDS_BETWEEN_LOOKS = 1.0
UNNAMED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Name of a job that plain `snakemake` submitted; it does not identify the experiment."""


def main(arguments: Sequence[str]) -> None:
    """Ensure that this is the only master of its experiment, then replace this process with `snakemake`."""
    options = _read_options(arguments)
    if options.dry_run:
        raise UserError("babelgrid.launch does not support dry runs: use `snakemake -n`")
    folder = Path(options.directory or ".").resolve()
    experiment = read_experiment(*(folder / path for path in options.configfile)).experiment
    lock = take_lock(folder / "results" / experiment)
    name = job_name(folder, experiment)
    if shutil.which("squeue"):
        cancel_leftovers(folder, name)
    wait_for_leftovers(folder / "results" / experiment / "logs")
    remove_stale_locks(folder / ".snakemake/locks", f"results/{experiment}/")
    os.set_inheritable(lock, True)  # Snakemake inherits the lock, and the kernel frees it when Snakemake ends
    command = [sys.executable, "-m", "snakemake", *arguments, "--slurm-jobname-prefix", name]
    os.execv(sys.executable, command)  # noqa: S606 (no shell is needed)


def _read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options that identify the experiment; all others are left to Snakemake."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", default=["config/config.yaml"])
    parser.add_argument("--directory", "-d")
    parser.add_argument("--dry-run", "--dryrun", "-n", action="store_true")
    parser.add_argument("--config", "-C", nargs="+", default=[])
    options, _ = parser.parse_known_args(arguments)
    if any(setting.startswith("experiment=") for setting in options.config):
        raise UserError("--config experiment=…: set the experiment in a config file, so that its lock can be found")
    return options


def take_lock(results: Path) -> int:
    """Take the experiment's lock and return its descriptor; `UserError` if another master holds it."""
    results.mkdir(parents=True, exist_ok=True)
    path = results / ".master"
    descriptor = open_file(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = path.read_text(encoding="utf-8", errors="replace").strip()
        raise UserError(
            f"another master runs this experiment: {holder or path}. Wait for it, or stop it (Ctrl-C) and start again"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be locked ({error.strerror}). babelgrid.launch needs a file system with locks; without "
            "one, use plain `snakemake` and make sure yourself that it runs only once"
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {platform.node()}\n".encode())
    return descriptor


def job_name(folder: Path, experiment: str) -> str:
    """Return the prefix of this experiment's SLURM job names, which differs between folders."""
    digest = hashlib.sha256(f"{folder}\0{experiment}".encode()).hexdigest()[:12]
    return f"{re.sub('[^A-Za-z0-9_-]', '_', experiment)[:36]}-{digest}"


def cancel_leftovers(folder: Path, name: str) -> None:
    """Cancel this experiment's queued jobs and wait until they have ended; `UserError` if that cannot be determined."""
    left = _queued(folder, name)
    if not left:
        return
    print(f"babelgrid: cancelling jobs that a killed master left behind: {' '.join(left)}", file=sys.stderr)
    _ask_slurm("scancel", *left)
    end = time.monotonic() + SECONDS_TO_WAIT
    while left := _queued(folder, name):
        if time.monotonic() > end:
            raise UserError(f"jobs {' '.join(left)} were cancelled but do not end; see `squeue --me`, then start again")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _queued(folder: Path, name: str) -> list[str]:
    """Return the ids of this experiment's jobs that are queued, running or completing."""
    listing = _ask_slurm("squeue", "-h", "-u", getpass.getuser(), "-t", "PD,R,CG,CF,S,RQ", "-o", "%A|%j|%Z")
    jobs = [line.split("|", 2) for line in listing.splitlines()]
    unnamed = [job for job, job_name_, place in jobs if UNNAMED.fullmatch(job_name_) and Path(place) == folder]
    if unnamed:
        raise UserError(
            f"jobs {' '.join(unnamed)} of this folder were submitted by plain `snakemake`, which may still be running. "
            "Wait for it, or stop it and `scancel` the jobs; then start again"
        )
    return sorted({job for job, job_name_, _ in jobs if job_name_.startswith(f"{name}_")}, key=int)


def _ask_slurm(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode and command[0] == "squeue":
        raise UserError(
            f"SLURM does not answer ({answer.stderr.strip()}), so remaining jobs cannot be listed. Try again later"
        )
    return answer.stdout


def wait_for_leftovers(logs: Path) -> None:
    """Wait for jobs that a killed master left running on this machine; each job holds a lock on its log."""
    end = time.monotonic() + SECONDS_TO_WAIT
    for log in sorted(logs.rglob("*.log")):
        is_told = False
        while log.exists() and is_running(log):
            if not is_told:
                print(f"babelgrid: waiting for a job that a killed master left running: {log}", file=sys.stderr)
                is_told = True
            if time.monotonic() > end:
                raise UserError(f"a job of a killed master still runs: {log}. Wait for it or stop it; then start again")
            time.sleep(SECONDS_BETWEEN_LOOKS)


def remove_stale_locks(locks: Path, results: str) -> None:
    """Remove Snakemake's own locks on this experiment's files; keep those of other experiments in this folder."""
    for lock in locks.glob("*.lock"):
        if any(line.startswith(results) for line in lock.read_text(encoding="utf-8", errors="replace").splitlines()):
            lock.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UserError, KeyboardInterrupt) as error:
        sys.exit(f"babelgrid: {describe_error(error)[0]}")
    except OSError as error:
        words = refusal(error)
        if words is None:
            raise
        sys.exit(f"babelgrid: {words}")
