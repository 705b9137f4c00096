"""A grid on the private cluster, with faults in the middle: it ends with the tables of an undisturbed local run."""

import os
import signal

import pytest
from master import Master

from checkout import Checkout

pytestmark = pytest.mark.slurm

CONFIG = "tests/slurm/tiny.yaml"
# All tables but those of cost, which hold times.
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
    """Return the tables that the grid ends with on this machine, without SLURM."""
    checkout = Checkout(tmp_path_factory.mktemp("local"), CONFIG).fill()
    result = checkout.snakemake(*TABLES)
    assert result.returncode == 0, result.stderr[-5000:]
    return _tables(checkout)


@pytest.fixture
def master(cluster, tmp_path):
    """Start the grid on the cluster, and end what is left of it."""
    checkout = Checkout(tmp_path / "grid", CONFIG).fill()
    started = Master(checkout.folder, cluster, *TABLES, "--configfile", CONFIG).start()
    started.checkout = checkout
    yield started
    started.stop()


def test_a_kill_a_requeue_a_crash_and_a_cancellation_change_no_table(cluster, undisturbed, master):
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
