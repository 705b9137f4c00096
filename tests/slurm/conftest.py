"""One private cluster for all tests that ask for it, stopped when they are done."""

import shutil
import tempfile

import pytest
from cluster import Cluster, what_is_missing


@pytest.fixture(scope="session")
def cluster():
    """Return a running cluster, or skip and say what it lacks."""
    missing = what_is_missing()
    if missing:
        pytest.skip(missing)
    root = tempfile.mkdtemp(prefix="bg", dir="/tmp")  # sockets have short paths
    made = Cluster(root)
    try:
        yield made.start()
    finally:
        made.stop()
        shutil.rmtree(root, ignore_errors=True)
