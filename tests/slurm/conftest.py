"""Provide one private cluster for all tests that need it, and stop it afterwards."""

import shutil
import tempfile

import pytest
from cluster import Cluster, what_is_missing


@pytest.fixture(scope="session")
def cluster():
    """Return a running cluster, or skip with the missing requirement."""
    missing = what_is_missing()
    if missing:
        pytest.skip(missing)
    root = tempfile.mkdtemp(prefix="bg", dir="/tmp")  # sockets need short paths
    made = Cluster(root)
    try:
        yield made.start()
    finally:
        made.stop()
        shutil.rmtree(root, ignore_errors=True)
