"""Provide shared fixtures: the location of real data, and small random bases in Hugging Face layout."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).parents[2] / "shared"

# The first file builds the tiny grid, which the other files in tests/grid copy. The second file does not need it.
LONGEST = (
    "tests/grid/test_grid_end_to_end.py",
    "tests/model/test_checkpoints.py",
    "tests/grid/test_reruns.py",
    "tests/grid/test_rivals.py",
    "tests/grid/test_merged_rows.py",
    "tests/grid/test_api_row.py",
    "tests/grid/test_classify_archive.py",
    "tests/grid/test_reruns_posts.py",
    "tests/grid/test_release_target.py",
    "tests/grid/test_inputs.py",
    "tests/grid/test_grid_kills.py",
    "tests/grid/test_operations.py",
    "tests/release/test_release.py",
    "tests/figures/test_figures_pictures.py",
    "tests/report/test_report_content.py",
    "tests/figures/test_figures_legible.py",
    "tests/test_imports.py",
    "tests/model/test_base_types.py",
    "tests/release/test_push.py",
    "tests/model/test_adapter.py",
)

# Two workers share the cores. Threads of OpenMP wait for each other in busy loops: with more threads than cores, the
# tests of models take twice as much time of the CPU.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Slowness of a busy machine is not a failure; in CI, runs are reproducible.
settings.register_profile("babelgrid", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("babelgrid")


def pytest_configure():
    """Enable the signals that tests send, even if the tests are started by `nohup` or in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """Start the longest files first, so that no worker has one left when the other worker has finished."""
    place = {file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


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
