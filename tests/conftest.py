"""Provide shared fixtures: the location of real data, and small random bases in Hugging Face layout."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).parents[2] / "shared"

# Slowness of a busy machine is not a failure; in CI, runs are reproducible.
settings.register_profile("babelgrid", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("babelgrid")


def pytest_configure():
    """Enable the signals that tests send, even if the tests are started by `nohup` or in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of the grid on one worker, because they share a grid that takes minutes to build.

    (`xdist_group` marks have no effect: xdist 3.8 passes them in a field that pytest 9.2 no longer has.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneWorkerForTheGrid(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "grid" if nodeid.startswith("tests/grid/") else nodeid

    return OneWorkerForTheGrid(config, log)


@pytest.fixture(scope="session")
def shared_file():
    """Return the path of a file in ../shared, or skip the test with the missing file."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs {path}, which is not on this machine")
        return path

    return find


@pytest.fixture(scope="session")
def random_base(tmp_path_factory):
    """Return a function that creates a small random base (once per session) and returns the path of its base.json."""
    from bases import write_base

    made = {}

    def make(architecture="llama"):
        if architecture not in made:
            made[architecture] = write_base(tmp_path_factory.mktemp(architecture), architecture)
        return made[architecture]

    return make


@pytest.fixture
def mounted(tmp_path):
    """Return a function that mounts a small file system in memory; skip the test if mounting is not allowed."""
    made = []

    def mount(options):
        folder = tmp_path / f"mounted{len(made)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("needs root to mount a small file system")
        made.append(folder)
        return folder

    yield mount
    for folder in made:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
