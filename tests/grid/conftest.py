"""A checkout of its own for the tests of the workflow, in which the tiny grid has been run once, by real Snakemake."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = "tests/grid/tiny.yaml"


class Checkout:
    """A copy of the project under git, and Snakemake in it."""

    def __init__(self, folder):
        self.folder = folder
        self.results = folder / "results" / "tiny"

    def snakemake(self, *arguments, overlays=()):
        """Run Snakemake on the tiny grid; return the finished process."""
        files = [TINY, *map(str, overlays)]
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *files]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def planned(self, *arguments, overlays=()):
        """Return how many jobs of each rule a dry run plans, as Snakemake itself says."""
        result = self.snakemake("-n", *arguments, overlays=overlays)
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        if "Nothing to be done" in output:
            return {}
        table = output.rsplit("Job stats:", 1)[1]
        jobs = {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)\s*$", table, flags=re.MULTILINE)}
        return {name: count for name, count in jobs.items() if name not in {"total", "all", "figures", "tables"}}

    def overlay(self, text):
        """Write an overlay config beside the checkout; return its path."""
        path = self.folder / "overlay.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def git(self, *arguments):
        """Run git in the checkout."""
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)


def tracked_and_new_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Return a checkout in which the tiny grid is finished. Tests leave it as they found it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked_and_new_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    made = Checkout(folder)
    made.git("init", "-q")
    made.git("add", "-A")
    made.git("commit", "-qm", "the project as it is")
    result = made.snakemake()
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    return made
