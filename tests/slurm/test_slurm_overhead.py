"""Measure the time that SLURM and Snakemake add to a job, from submission until the master notices its end."""

import re
import shutil
from datetime import datetime

import pytest
from master import ROOT, Master

pytestmark = pytest.mark.slurm

AS_IN_THE_PROFILE = ("--slurm-init-seconds-before-status-checks", "10", "--max-status-checks-per-second", "0.2")
SLEEP = 6


def test_finished_job_is_noticed_within_two_minutes(cluster, tmp_path, capsys):
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config/config.yaml", tmp_path / "config")
    snakefile = str(ROOT / "tests/slurm/faults.smk")
    master = Master(tmp_path, cluster, *AS_IN_THE_PROFILE, "-s", snakefile, "--config", "names=slow").start()
    try:
        master.wait()
    finally:
        master.stop()
    begun, ended = re.search(r"\[(.{24})\]\nrule job:.*?\[(.{24})\]\nFinished jobid", master.text(), re.DOTALL).groups()
    overhead = (_time(ended) - _time(begun)).total_seconds() - SLEEP
    with capsys.disabled():
        print(f"\none job's overhead: {overhead:.0f} s")
    assert 0 <= overhead < 120


def _time(text):
    return datetime.strptime(text, "%a %b %d %H:%M:%S %Y")
