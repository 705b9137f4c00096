"""Test faults of a cluster with jobs of a few seconds, each of which records its progress."""

import shutil
import signal
import subprocess
import time

import pytest
from master import ROOT, Master

pytestmark = pytest.mark.slurm

NAMES = "preempted,time,memory,gpu/0,gpu/1"


@pytest.fixture(scope="module")
def make_master(cluster, tmp_path_factory):
    """Return a function that starts masters for jobs with given names; stop them afterwards."""
    made = []

    def make(names, folder=None):
        if folder is None:
            folder = tmp_path_factory.mktemp("faults")
            (folder / "config").mkdir()
            shutil.copy(ROOT / "config/config.yaml", folder / "config")
        snakefile = str(ROOT / "tests/slurm/faults.smk")
        master = Master(folder, cluster, "-s", snakefile, "--config", f"names={names}")
        master.environment["PYTHONPATH"] += f":{ROOT}/tests/slurm"
        made.append(master.start())
        return master

    yield make
    for master in made:
        master.stop()


@pytest.fixture(scope="module")
def faults(cluster, make_master):
    """Return the master of a run that went through every fault and succeeded."""
    master = make_master(NAMES)
    node = master.until(lambda: _node(cluster, "preempted") if _told(master, "preempted") else None)
    partition = "gpu" if node == "g1" else "cpu"
    urgent = ["-p", partition, "-w", node, "--mem=9000", "-o", "/dev/null", "--wrap", "sleep 3"]
    cluster.output("sbatch", "-A", "test", *urgent)
    master.until(lambda: len(_told(master, "preempted")) > 1)
    cluster.stop_slurmdbd()
    cluster.stop_slurmctld()
    time.sleep(8)
    cluster.start_slurmctld()
    master.until(lambda: _told(master, "preempted")[-1] == "end")
    cluster.start_slurmdbd()
    master.wait()
    return master


def test_preempted_job_is_requeued(faults):
    assert _told(faults, "preempted") == ["start attempt 1", "start attempt 1", "end"]


def test_job_out_of_time_gets_more(faults):
    assert _told(faults, "time") == ["start attempt 1", "start attempt 2", "end"]


def test_job_out_of_memory_gets_more(faults):
    told = _told(faults, "memory")
    assert told[0] == "start attempt 1"
    assert told[-2:] in (["start attempt 2", "end"], ["start attempt 3", "end"])


def test_parallel_jobs_get_different_gpus(faults):
    assert {(faults.folder / f"results/lab/gpu/{number}").read_text() for number in (0, 1)} == {"0\n", "1\n"}


def test_daemon_outage_loses_no_job(faults):
    made = {path.name for path in (faults.folder / "results/lab").rglob("*") if path.is_file()}
    assert made >= {"memory", "preempted", "time", "0", "1"}


def test_job_behind_network_split_does_not_overwrite_successor(cluster, make_master):
    master = make_master("split/written")
    node = master.until(lambda: _node(cluster, "rule_split") if _told(master, "split") else None)
    cluster.split_node(node)
    master.wait()
    cluster.start_node(node)
    told = [line.split() for line in _told(master, "split")]
    [(_, first), (_, second)] = [line for line in told if line[0] == "began"]
    assert ["refused", first] in told
    assert (master.folder / "results/lab/split/written").read_text() == second


def test_killed_master_leads_to_no_duplicate_jobs(cluster, make_master):
    # slow1 to slow3 need one node each, so one of them has to wait in the queue.
    names = "slow,slow1,slow2,slow3"
    killed = make_master(names)
    killed.until(lambda: len(cluster.jobs("RUNNING")) == 3 and cluster.jobs("PENDING"))
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait()
    killed.until(lambda: "end" in _told(killed, "slow"))
    again = make_master(names, killed.folder)
    again.until(lambda: again.text().count("SLURM run ID") == 2)
    second = subprocess.run(
        again.command, cwd=again.folder, env=again.environment, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert second.stderr.startswith(f"babelgrid: another master runs this experiment: process {again.process.pid} on ")
    again.wait()
    assert _told(again, "slow") == ["start attempt 1", "end"]
    for name in ("slow1", "slow2", "slow3"):
        assert "twice" not in _told(again, name)
        assert _told(again, name)[-1] == "end"


def _told(master, name):
    path = master.folder / "runs" / name
    return path.read_text().splitlines() if path.exists() else []


def _node(cluster, comment):
    """Return the node on which a job with this comment runs."""
    return next((node for _, node, told in cluster.jobs("RUNNING").values() if comment in told), None)
