"""Test the private cluster itself: jobs run, and a fake GPU belongs to one job."""

import time

import pytest

pytestmark = pytest.mark.slurm


def test_job_gets_one_of_two_fake_gpus(cluster, tmp_path):
    said = tmp_path / "said"
    command = "srun -n1 --gpus=1 sh -c 'echo $CUDA_VISIBLE_DEVICES on $SLURMD_NODENAME'"
    cluster.output("sbatch", "--wait", "-A", "test", "-p", "gpu", "--gpus=1", "-o", str(said), "--wrap", command)
    assert said.read_text() == "0 on g1\n"


def test_job_of_crashed_node_is_requeued(cluster, tmp_path):
    [job] = cluster.output(
        "sbatch", "--parsable", "--requeue", "-A", "test", "-w", "c1", "-o", str(tmp_path / "o"), "--wrap", "sleep 600"
    ).split()
    wait_until(lambda: cluster.jobs("RUNNING") and cluster.step_processes("c1"))
    cluster.reboot_node("c1")
    assert not cluster.step_processes("c1")
    wait_until(lambda: cluster.jobs("PENDING"))
    assert list(cluster.jobs()) == [int(job)]
    cluster.cancel_all()
    wait_until(cluster.is_idle)


def wait_until(is_so, seconds=180):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)
