"""Test slots on fake GPUs with real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from babelgrid.errors import UserError
from babelgrid.runtime.gpu_slots import hold_gpu, slot_folder, visible_gpus

HOLD = """
import os, sys, time
from pathlib import Path
from babelgrid.runtime.gpu_slots import hold_gpu
with hold_gpu(int(sys.argv[2])) as gpu:
    assert os.environ["CUDA_VISIBLE_DEVICES"] == gpu
    started = time.monotonic()
    time.sleep(float(sys.argv[3]))
    Path(sys.argv[1], f"{os.getpid()}").write_text(f"{gpu} {started} {time.monotonic()}")
"""
LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaa)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbb)
  MIG 1g.5gb     Device  0: (UUID: MIG-b0)
  MIG 1g.5gb     Device  1: (UUID: MIG-b1)
"""


@pytest.fixture(autouse=True)
def no_gpus_but_pretended_ones(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@pytest.fixture
def driver(tmp_path):
    """Install a fake driver with two GPUs, one of them split into two parts."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{LISTING}'\n")
    program.chmod(0o755)


def _start(folder, jobs_per_gpu, seconds):
    return subprocess.Popen([sys.executable, "-c", HOLD, str(folder), str(jobs_per_gpu), str(seconds)])


def _held(folder):
    for path in folder.iterdir():
        gpu, start, end = path.read_text().split()
        yield gpu, float(start), float(end)


def test_machine_without_gpu_does_not_wait():
    assert visible_gpus() == []
    with hold_gpu(1) as gpu:
        assert gpu is None
        assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    ("restriction", "visible"),
    [
        (None, ["GPU-aaa", "MIG-b0", "MIG-b1"]),
        ("1", ["GPU-bbb"]),
        ("1,0", ["GPU-bbb", "GPU-aaa"]),
        ("MIG-b1", ["MIG-b1"]),
        ("0,-1,1", ["GPU-aaa"]),
        ("", []),
        ("7", ["7"]),
    ],
)
def test_restriction_is_respected_and_mig_is_listed_by_part(monkeypatch, restriction, visible):
    if restriction is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", restriction)
    assert visible_gpus() == visible


@pytest.mark.slow
@pytest.mark.parametrize("jobs_per_gpu", [1, 2])
def test_racing_jobs_never_exceed_slots_per_gpu(monkeypatch, tmp_path, jobs_per_gpu):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,MIG-c")
    folder = tmp_path / "held"
    folder.mkdir()
    jobs = [_start(folder, jobs_per_gpu, 0.3) for _ in range(8)]
    assert [job.wait(60) for job in jobs] == [0] * 8
    held = list(_held(folder))
    assert len(held) == 8
    for gpu, start, _ in held:
        together = [1 for other, begin, end in held if other == gpu and begin <= start < end]
        assert len(together) <= jobs_per_gpu
    assert {gpu for gpu, _, _ in held} == {"GPU-a", "GPU-b", "MIG-c"}


@pytest.mark.slow
def test_killed_job_frees_its_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    folder = tmp_path / "held"
    folder.mkdir()
    killed = _start(folder, 1, 600)
    slot = tmp_path / f"babelgrid-gpus-{os.getuid()}" / "GPU-a.0"
    while not slot.exists():
        time.sleep(0.05)
    waiting = _start(folder, 1, 0)
    time.sleep(0.5)
    assert waiting.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.wait(60)
    assert waiting.wait(60) == 0
    assert [gpu for gpu, _, _ in _held(folder)] == ["GPU-a"]


def test_restriction_is_restored_after_the_job(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    with hold_gpu(1) as gpu:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == gpu == "GPU-a"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"


@pytest.fixture
def shared(monkeypatch, tmp_path):
    """Return a temporary folder that others can write to, like /tmp; check that an existing file is not changed."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    (tmp_path / "thesis").write_text("years of work")
    yield folder
    assert (tmp_path / "thesis").read_text() == "years of work"


def theirs(path):
    if os.getuid():
        pytest.skip("needs root to act as another user")
    os.lchown(path, 65534, 65534)


def linked_folder(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")


def folder_of_another(folder, _):
    folder.mkdir(mode=0o700)
    theirs(folder)


def folder_open_to_others(folder, _):
    folder.mkdir()
    folder.chmod(0o777)


def folder_open_to_the_group(folder, _):
    folder.mkdir()
    folder.chmod(0o770)


def file_in_its_place(folder, tmp_path):
    os.link(tmp_path / "thesis", folder)


@pytest.mark.parametrize(
    "made", [linked_folder, folder_of_another, folder_open_to_others, folder_open_to_the_group, file_in_its_place]
)
def test_slot_folder_that_is_not_private_is_refused(shared, tmp_path, made):
    made(shared / f"babelgrid-gpus-{os.getuid()}", tmp_path)
    with pytest.raises(UserError, match=r"is not a folder of yours .* set TMPDIR"), hold_gpu(1):
        pytest.fail("no GPU may be held")


def linked_slot(slot, tmp_path):
    slot.symlink_to(tmp_path / "thesis")


def dangling_slot(slot, tmp_path):
    slot.symlink_to(tmp_path / "not there yet")


def second_name(slot, tmp_path):
    os.link(tmp_path / "thesis", slot)


def pipe_in_its_place(slot, _):
    os.mkfifo(slot)


def folder_in_its_place(slot, _):
    slot.mkdir()


def slot_of_another(slot, _):
    slot.touch()
    theirs(slot)


@pytest.mark.parametrize(
    "made", [linked_slot, dangling_slot, second_name, pipe_in_its_place, folder_in_its_place, slot_of_another]
)
def test_slot_that_is_not_users_regular_file_is_refused(shared, tmp_path, made):
    folder = shared / f"babelgrid-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700)
    made(folder / "GPU-a.0", tmp_path)
    with (
        pytest.raises(UserError, match=r"GPU-a\.0: (is a link or not a regular file|belongs to another user)"),
        hold_gpu(1),
    ):
        pytest.fail("no GPU may be held")
    assert not (tmp_path / "not there yet").exists()


def test_slots_are_in_runtime_folder_if_private(shared, monkeypatch, tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert slot_folder() == runtime / "babelgrid-gpus"
    runtime.chmod(0o777)
    assert slot_folder() == shared / f"babelgrid-gpus-{os.getuid()}"
    assert slot_folder().stat().st_mode & 0o777 == 0o700
    for elsewhere in ("", "run", str(tmp_path / "gone")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", elsewhere)
        assert slot_folder().parent == shared
