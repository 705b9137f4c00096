"""Test the interactive targets (status, estimate, doctor) during and after a run."""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.grid


def test_status_shows_running_jobs(checkout, tmp_path):
    copy = checkout.copy(tmp_path / "copy")
    longer = copy.overlay("finetune: {epochs: 150}")
    adapter = "results/tiny/adapters/en/seed0/adapter_model.safetensors"
    command = [sys.executable, "-m", "snakemake", adapter, "--cores", "1", "--configfile", *copy.configs, str(longer)]
    run = subprocess.Popen(command, cwd=copy.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Two calls of Snakemake that start at once can remove each other's folder of locks.
    while run.poll() is None and not list((copy.folder / ".snakemake/locks").glob("*.lock")):
        time.sleep(0.1)
    seen = ""
    while run.poll() is None and "running:\n" not in seen:
        asked = copy.snakemake("status", overlays=[longer])
        assert asked.returncode == 0, asked.stderr
        seen = asked.stdout
    assert run.wait(300) == 0
    assert re.search(r"running:\n  finetune en/seed0: ", seen)
    assert (copy.folder / adapter).is_file()


def test_estimate_counts_jobs_and_uses_finished_ones(checkout):
    asked = checkout.snakemake("estimate")
    assert asked.returncode == 0, asked.stderr
    [line] = re.findall(r"^finetune .*$", asked.stdout, re.MULTILINE)
    _, jobs, estimated, done, of_done, took, in_all = re.split(" {2,}", line)
    assert (jobs, done) == ("2", "2")
    assert estimated == of_done
    assert in_all == took
    assert re.search(r"^predict +3 ", asked.stdout, re.MULTILINE)
    assert "dollars" not in asked.stdout
    assert checkout.planned() == {}


def test_grid_is_built_without_network(checkout_built_without_network):
    assert (checkout_built_without_network.folder / "results/tiny/report.html").is_file()
    offline = checkout_built_without_network.without_network()
    command = [*offline.prefix, "python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 9), 1)"]
    assert "Network is unreachable" in subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_doctor_finds_no_problem_on_this_machine(checkout):
    asked = checkout.snakemake("doctor")
    assert asked.returncode == 0, asked.stdout
    lines = re.findall(r"^(OK|FIX) +(versions|GPU|4 bits|training|disk|memory|SLURM|cache|clock) ", asked.stdout, re.M)
    assert len(lines) == 9
    assert {state for state, _ in lines} == {"OK"}


def test_only_model_jobs_request_a_gpu(checkout, tmp_path, monkeypatch):
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\n", encoding="utf-8")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    large = checkout.overlay("base: {lab: null, hub: a/base, revision: 0123456789012345678901234567890123456789}")
    planned = checkout.snakemake("-n", "--forceall", "estimate", "all", overlays=[large]).stdout
    asked = re.findall(r"^(?:local)?rule (\w+):(?:\n .*)*?\n    resources: .*gpu=(\d)", planned, re.MULTILINE)
    assert {rule for rule, gpus in asked if gpus == "1"} == {"finetune", "predict", "probe_speed"}
    assert len(re.findall(r"\bgpu=1", planned)) == sum(gpus == "1" for _, gpus in asked)
    assert planned.count("threads: 2") == sum(gpus == "1" for _, gpus in asked)


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has a GPU")
def test_without_a_gpu_jobs_run_side_by_side_with_one_thread(checkout):
    small = checkout.overlay("base: {lab: null, hub: a/base-100M, revision: 0123456789012345678901234567890123456789}")
    planned = checkout.snakemake("-n", "--forceall", "all", overlays=[small]).stdout
    assert "rule finetune:" in planned
    assert not re.search(r"\bgpu=1", planned)
    assert "threads: " not in planned  # Snakemake prints only more than one
