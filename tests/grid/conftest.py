"""Provide a separate checkout in which real Snakemake has run the tiny grid once, for the tests of the workflow."""

import fcntl
import os
import subprocess

import pytest

from checkout import Checkout

CAN_CUT_OFF = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Return a checkout in which the tiny grid is finished. Tests must leave it unchanged.

    The first process of pytest-xdist builds it with both cores and keeps a copy, which no test uses, for the others.
    """
    folder = tmp_path_factory.mktemp("checkout")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return _build(folder)
    kept = tmp_path_factory.getbasetemp().parent / "tiny"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            made = _build(folder)
            made.copy(kept)
            return made
    return Checkout(kept, "tests/grid/tiny.yaml").copy(folder / "copy")


def _build(folder):
    made = Checkout(folder, "tests/grid/tiny.yaml").fill()
    made.git("init", "-q")
    made.git("add", "-A")
    made.git("commit", "-qm", "the project as it is")
    # If permitted, run without network: a grid needs none once its base and posts exist.
    result = (made.without_network() if CAN_CUT_OFF else made).snakemake()
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    return made


@pytest.fixture(scope="session")
def checkout_built_without_network(checkout):
    """Return the checkout if its grid could be built without network on this machine."""
    if not CAN_CUT_OFF:
        pytest.skip("needs permission to run a process without network: `unshare --net true`, as root")
    return checkout
