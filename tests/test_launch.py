"""Test `babelgrid.launch` with a fake SLURM whose queue is a file."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from babelgrid.errors import UserError
from babelgrid.launch import cancel_leftovers, job_name, main, remove_stale_locks, take_lock, wait_for_leftovers

HOLD = "import sys, time; from pathlib import Path; from babelgrid.launch import take_lock\n"
HOLD += "take_lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Return the file of a fake queue, which is emptied when jobs are cancelled."""
    lines = tmp_path / "queue"
    for name, script in {"squeue": f"cat {lines}", "scancel": f'echo "$@" > {tmp_path}/cancelled; : > {lines}'}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return lines


@pytest.mark.slow
def test_second_master_names_the_first(tmp_path):
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {first.pid} on "):
            take_lock(tmp_path)
    finally:
        first.kill()
        first.wait()
    os.close(take_lock(tmp_path))


def test_lock_file_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "thesis").write_text("years of work", encoding="utf-8")
    (tmp_path / ".master").symlink_to(tmp_path / "thesis")
    with pytest.raises(UserError, match=r"\.master: is a link or not a regular file"):
        take_lock(tmp_path)
    assert (tmp_path / "thesis").read_text(encoding="utf-8") == "years of work"


def test_file_system_without_locks_is_one_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match=r"cannot be locked \(No locks available\)"):
        take_lock(tmp_path)


def test_snakemake_lock_is_read_in_any_encoding(tmp_path):
    (tmp_path / "0.input.lock").write_bytes(b"results/x/posts/caf\xe9.parquet\n")
    (tmp_path / "1.input.lock").write_bytes(b"results/y/posts/caf\xe9.parquet\n")
    remove_stale_locks(tmp_path, "results/x/")
    assert [path.name for path in tmp_path.iterdir()] == ["1.input.lock"]


def test_only_jobs_of_this_experiment_are_cancelled(tmp_path, queue):
    name = job_name(tmp_path, "lab")
    other = job_name(tmp_path, "lab_uniform")
    queue.write_text(f"7|{name}_x|{tmp_path}\n8|{other}_x|{tmp_path}\n9|somebodys|{tmp_path}\n")
    cancel_leftovers(tmp_path, name)
    assert (tmp_path / "cancelled").read_text() == "7\n"


def test_jobs_of_plain_snakemake_are_named_and_not_cancelled(tmp_path, queue):
    queue.write_text(f"7|0f8fad5b-d9cb-469f-a165-70867728950e|{tmp_path}\n")
    with pytest.raises(UserError, match="jobs 7 of this folder were submitted by plain"):
        cancel_leftovers(tmp_path, job_name(tmp_path, "lab"))
    assert not (tmp_path / "cancelled").exists()


def test_unresponsive_slurm_prevents_start(tmp_path, queue):  # cat finds no file
    assert not queue.exists()
    with pytest.raises(UserError, match="SLURM does not answer"):
        cancel_leftovers(tmp_path, job_name(tmp_path, "lab"))


def test_launch_waits_for_jobs_running_here(tmp_path, monkeypatch):
    monkeypatch.setattr("babelgrid.launch.SECONDS_TO_WAIT", 0)
    monkeypatch.setattr("babelgrid.launch.SECONDS_BETWEEN_LOOKS", 0)
    with (tmp_path / "seed0.log").open("w") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=r"still runs: .*seed0\.log"):
            wait_for_leftovers(tmp_path)
    wait_for_leftovers(tmp_path)


def test_locks_of_other_experiments_are_kept(tmp_path):
    (tmp_path / "0.output.lock").write_text("results/lab/report.html\n")
    (tmp_path / "1.output.lock").write_text("results/lab_uniform/report.html\n")
    remove_stale_locks(tmp_path, "results/lab/")
    assert [path.name for path in tmp_path.iterdir()] == ["1.output.lock"]


def test_dry_run_cancels_nothing(queue):
    queue.write_text("")
    with pytest.raises(UserError, match="snakemake -n"):
        main(["-n"])
