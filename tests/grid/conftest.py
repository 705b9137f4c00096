"""A checkout of its own for the tests of the workflow, in which the tiny grid has been run once, by real Snakemake."""

import pytest

from checkout import Checkout


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Return a checkout in which the tiny grid is finished. Tests leave it as they found it."""
    made = Checkout(tmp_path_factory.mktemp("checkout"), "tests/grid/tiny.yaml").fill()
    made.git("init", "-q")
    made.git("add", "-A")
    made.git("commit", "-qm", "the project as it is")
    result = made.snakemake()
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    return made
