"""What many tests share: where the real data is, and small random bases in Hugging Face layout."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_file():
    """Return the path of a file in ../shared, or skip and say which one is missing."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs {path}, which is not on this machine")
        return path

    return find


@pytest.fixture(scope="session")
def random_base(tmp_path_factory):
    """Make (once a session) a random small base of an architecture; return the path of its base.json."""
    from bases import write_base

    made = {}

    def make(architecture="llama"):
        if architecture not in made:
            made[architecture] = write_base(tmp_path_factory.mktemp(architecture), architecture)
        return made[architecture]

    return make
