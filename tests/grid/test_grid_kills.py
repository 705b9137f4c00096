"""Jobs killed under a real Snakemake: started again, the grid ends with the bytes of one that nobody disturbed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from babelgrid.job import is_running

pytestmark = pytest.mark.grid

LONGER = "finetune: {epochs: 60, checkpoint_steps: 5}"


def kill_job(checkout, overlay, target, log, is_time):
    """Start the target, kill -9 the job that writes the log when it is time, and return Snakemake's exit code."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        target,
        "--cores",
        "1",
        "--configfile",
        *checkout.configs,
        str(overlay),
    ]
    run = subprocess.Popen(command, cwd=checkout.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (log.is_file() and is_running(log) and is_time()):
        assert run.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(holder(log), signal.SIGKILL)
    return run.wait(120)


def holder(log):
    """Return the process that has the log open and locked (proc(5): /proc/locks)."""
    inode = log.stat().st_ino
    lines = Path("/proc/locks").read_text(encoding="ascii")
    return int(re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:{inode}\s", lines).group(1))


def test_a_training_job_killed_under_snakemake_goes_on_to_the_same_adapter(checkout, tmp_path):
    adapter = "results/tiny/adapters/en/seed0/adapter_model.safetensors"
    whole, killed = checkout.copy(tmp_path / "whole"), checkout.copy(tmp_path / "killed")
    assert whole.snakemake(adapter, overlays=[whole.overlay(LONGER)]).returncode == 0
    state, log = (
        killed.folder / "results/tiny" / name for name in ("checkpoints/en/seed0", "logs/finetune/en/seed0.log")
    )
    longer = killed.overlay(LONGER)
    assert kill_job(killed, longer, adapter, log, lambda: any(state.glob("checkpoint-*"))) != 0
    assert not (killed.folder / adapter).exists()
    again = killed.snakemake(adapter, overlays=[longer])
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert "going on from" in log.read_text(encoding="utf-8")
    for name in (adapter, adapter.replace("adapter_model.safetensors", "training.csv")):
        assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_a_predict_job_killed_under_snakemake_is_done_again_and_nothing_else(checkout, tmp_path):
    killed = checkout.copy(tmp_path / "killed")
    results = killed.folder / "results/tiny"
    cells = sorted((results / "predictions/en/seed0").iterdir())
    before = {path: path.read_bytes() for path in cells}
    log = results / "logs/predict/en/seed0.log"
    for path in [*cells, log]:
        path.unlink()
    targets = [str(path.relative_to(killed.folder)) for path in cells]
    assert kill_job(killed, killed.overlay("{}"), targets[0], log, lambda: True) != 0
    assert not any(path.exists() for path in cells)
    assert set(killed.planned(*targets)) == {"predict"}
    again = killed.snakemake(*targets)
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert {path: path.read_bytes() for path in cells} == before


def test_a_result_edited_by_hand_is_taken_as_it_is_and_what_follows_is_made_anew(checkout, tmp_path):
    edited = checkout.copy(tmp_path / "edited")
    cells = edited.folder / "results/tiny/tables/cells.csv"
    cells.write_text(cells.read_text(encoding="utf-8").replace("0.5", "0.6"), encoding="utf-8")
    planned = edited.planned()
    assert planned["build_transfer_matrix"] == 1
    assert not {"score_cells", "predict", "finetune"} & set(planned)
