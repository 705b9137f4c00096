"""The targets for people, beside a run and after it."""

import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.grid, pytest.mark.xdist_group("grid")]


def test_status_shows_the_jobs_of_a_run_that_goes_on(checkout, tmp_path):
    copy = checkout.copy(tmp_path / "copy")
    before = (copy.folder / "results/tiny/tables/scores.csv").read_bytes()
    (copy.folder / "results/tiny/adapters/en/seed0/adapter_model.safetensors").unlink()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", *copy.configs]
    run = subprocess.Popen(command, cwd=copy.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen = ""
    while run.poll() is None and "running:\n" not in seen:
        asked = copy.snakemake("status")
        assert asked.returncode == 0, asked.stderr
        seen = asked.stdout
    assert run.wait(300) == 0
    assert re.search(r"^en seed0( +>){3}$", seen, re.MULTILINE)
    assert re.search(r"running:\n  (finetune|predict) en/seed0: ", seen)
    assert (copy.folder / "results/tiny/tables/scores.csv").read_bytes() == before
    assert "left: nothing to train and nothing to score" in copy.snakemake("status").stdout
