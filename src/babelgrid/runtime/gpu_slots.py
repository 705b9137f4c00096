"""Assign a GPU to each job on this machine: a slot is a locked file, which the kernel frees when its process dies.

Snakemake counts GPUs but does not tell a job which one to use.
"""

import fcntl
import logging
import os
import re
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from babelgrid.errors import UserError
from babelgrid.runtime.ownership import open_file

log = logging.getLogger(__name__)

SECONDS_BETWEEN_TRIES = 0.2
# "GPU 0: NVIDIA A100 (UUID: GPU-5d5b…)", followed on a partitioned GPU by "  MIG 1g.5gb  Device 0: (UUID: MIG-1c2d…)".
_LISTED = re.compile(r"^(GPU|\s+MIG).*\(UUID: ([^)\s]+)\)", re.MULTILINE)


@contextmanager
def hold_gpu(jobs_per_gpu: int) -> Iterator[str | None]:
    """Wait for a free slot, restrict this process to its GPU, and yield the GPU's id (None on a machine without GPU).

    Enter this before the process first uses CUDA. Jobs spread out: a GPU gets a second job only when every GPU has one.
    Slots are shared among the jobs of one user on one machine.
    """
    gpus = visible_gpus()
    if not gpus:
        yield None
        return
    restriction = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpu, slot = _wait_for_slot(gpus, jobs_per_gpu)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        log.info("GPU %s", gpu)
        yield gpu
    finally:
        os.close(slot)
        if restriction is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = restriction


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs, or GPU partitions (MIG), that this process may use.

    `CUDA_VISIBLE_DEVICES` is a restriction set by the user or SLURM, and is respected. A number in it is replaced with
    the id of that GPU if the driver reports one, because the same number may mean a different GPU in another job.
    """
    listed = _listed_by_driver()
    restriction = os.environ.get("CUDA_VISIBLE_DEVICES")
    if restriction is None:
        return [part for gpu, parts in listed for part in parts or [gpu]]
    gpus = [gpu for gpu, _ in listed]
    chosen = []
    for name in filter(None, map(str.strip, restriction.split(","))):
        if name == "-1":  # as in CUDA: devices after it are not visible either
            break
        is_known_number = name.isdecimal() and int(name) < len(gpus)
        chosen.append(gpus[int(name)] if is_known_number else name)
    return chosen


def _listed_by_driver() -> list[tuple[str, list[str]]]:
    """Return each GPU's id with the ids of its MIG partitions, in the driver's order."""
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    gpus: list[tuple[str, list[str]]] = []
    for kind, name in _LISTED.findall(listing):
        if kind == "GPU":
            gpus.append((name, []))
        else:
            gpus[-1][1].append(name)
    return gpus


def _wait_for_slot(gpus: Sequence[str], jobs_per_gpu: int) -> tuple[str, int]:
    """Return a GPU and the descriptor of its locked file; the lock lasts until it is closed or the process dies."""
    folder = slot_folder()
    is_first_try = True
    while True:
        for place in range(jobs_per_gpu):
            for gpu in gpus:
                slot = _open_slot(folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.{place}")
                try:
                    fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(slot)
                else:
                    return gpu, slot
        if is_first_try:
            log.info("every GPU is in use by your jobs: waiting until one ends")
            is_first_try = False
        time.sleep(SECONDS_BETWEEN_TRIES)


def slot_folder() -> Path:
    """Return the folder of this user's slots on this machine, and create it if needed.

    It is in the user's runtime folder (XDG_RUNTIME_DIR, if that is private), else in the temporary folder. In the
    latter, another user could create a folder of this name first, so a `UserError` is raised unless the folder belongs
    to this user and only this user can write to it.
    """
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and _is_private(runtime):
        folder = runtime / "babelgrid-gpus"
    else:
        folder = Path(tempfile.gettempdir()) / f"babelgrid-gpus-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not _is_private(folder):
        raise UserError(
            f"{folder}: is not a folder of yours that only you can write to, so the lock files that share the GPUs "
            "among your jobs cannot be stored there. Ask its owner to remove it, or set TMPDIR to a folder of your "
            "own, the same for all your jobs on this machine"
        )
    return folder


def _is_private(folder: Path) -> bool:
    """Return whether this is a real folder (not a link) that belongs to this user and nobody else can write to."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _open_slot(path: Path) -> int:
    """Open or create a slot's file without changing its content; `UserError` for a link or another user's file."""
    slot = open_file(path, os.O_RDWR, 0o600)
    if os.fstat(slot).st_uid == os.getuid():
        return slot
    os.close(slot)
    raise UserError(f"{path}: belongs to another user, who could block your jobs. Delete it and run again")
