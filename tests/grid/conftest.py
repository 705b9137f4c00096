"""A checkout of its own for the tests of the workflow, in which the tiny grid has been run once, by real Snakemake."""

import subprocess

import pytest

from checkout import Checkout

CAN_CUT_OFF = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Return a checkout in which the tiny grid is finished. Tests leave it as they found it."""
    made = Checkout(tmp_path_factory.mktemp("checkout"), "tests/grid/tiny.yaml").fill()
    made.git("init", "-q")
    made.git("add", "-A")
    made.git("commit", "-qm", "the project as it is")
    # Whoever may take the network away does so: nothing of a grid needs one once its base and posts are there.
    result = (made.without_network() if CAN_CUT_OFF else made).snakemake()
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    return made


@pytest.fixture(scope="session")
def checkout_built_without_network(checkout):
    """Return the checkout, if this machine could take its network away while the grid was built."""
    if not CAN_CUT_OFF:
        pytest.skip("needs the right to take a process's network away: `unshare --net true`, as root")
    return checkout
