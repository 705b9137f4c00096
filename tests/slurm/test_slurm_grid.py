"""Test that a grid on the private cluster with faults produces the tables of an undisturbed local run."""

import os
import signal

import pytest
from master import Master

from checkout import Checkout

pytestmark = pytest.mark.slurm

CONFIG = "tests/slurm/tiny.yaml"
# All tables except those of cost, which contain times.
NAMES = [
    "cells",
    "classes",
    "transfer_matrix",
    "scores",
    "comparisons",
    "transfer",
    "donors",
    "contrasts",
    "clusters",
    "doses",
    "dose_fits",
    "dose_curves",
    "label_bias",
    "calibration",
    "regression",
    "exposure",
    "learning_curves",
    "claims",
    "warnings",
]
TABLES = [f"results/tiny/tables/{name}.csv" for name in NAMES]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the grid's tables from a local run without SLURM."""
    checkout = Checkout(tmp_path_factory.mktemp("local"), CONFIG).fill()
    result = checkout.snakemake(*TABLES)
    assert result.returncode == 0, result.stderr[-5000:]
    return _tables(checkout)


@pytest.fixture
def master(cluster, tmp_path):
    """Start the grid on the cluster; stop it afterwards."""
    checkout = Checkout(tmp_path / "grid", CONFIG).fill()
    started = Master(checkout.folder, cluster, *TABLES, "--configfile", CONFIG).start()
    started.checkout = checkout
    yield started
    started.stop()


def test_kill_requeue_crash_and_cancellation_change_no_table(cluster, undisturbed, master):
    [killed, *_] = master.until(lambda: master.scripts("finetune"))
    os.kill(killed, signal.SIGKILL)
    job = next(iter(master.until(lambda: master.running("finetune"))))
    cluster.output("scontrol", "requeue", str(job))
    _, node = next(iter(master.until(lambda: master.running("finetune")).items()))
    cluster.crash_node(node)
    cluster.start_node(node)
    job = next(iter(master.until(lambda: master.running("predict"))))
    cluster.output("scancel", str(job))
    master.wait()
    assert _tables(master.checkout) == undisturbed


def _tables(checkout):
    return {path: (checkout.folder / path).read_bytes() for path in TABLES}
