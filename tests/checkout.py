"""Copy the project into a separate folder and run Snakemake there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECRETS = {name: f"planted-{name.lower()}-5f2c9e" for name in ("HF_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY")}
"""Keys in the environment of every run; no output file may contain them."""


class Checkout:
    """The project's files (tracked and new) under `folder`, and the config files of its grid."""

    def __init__(self, folder, *configs):
        self.folder = folder
        self.configs = configs
        self.prefix = ()

    def without_network(self):
        """Return the same checkout, but with Snakemake and its jobs cut off from any network, including loopback."""
        cut_off = Checkout(self.folder, *self.configs)
        cut_off.prefix = ("unshare", "--net")
        return cut_off

    def fill(self):
        """Copy the project's files into the folder."""
        for name in _files():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.folder / name)
        return self

    def copy(self, folder):
        """Return a copy, including all results."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Checkout(folder, *self.configs)

    def snakemake(self, *arguments, overlays=()):
        """Run Snakemake on the grid; return the finished process."""
        files = [*self.configs, *map(str, overlays)]
        command = [*self.prefix, sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *files]
        environment = {**os.environ, **SECRETS}
        # Each job is a process; without stored bytecode, each would compile the library again.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def planned(self, *arguments, overlays=()):
        """Return the number of jobs of each rule that a dry run of Snakemake plans."""
        result = self.snakemake("-n", *arguments, overlays=overlays)
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        if "Nothing to be done" in output:
            return {}
        table = output.rsplit("Job stats:", 1)[1]
        jobs = {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)\s*$", table, flags=re.MULTILINE)}
        return {name: count for name, count in jobs.items() if name not in {"total", "all", "figures", "tables"}}

    def overlay(self, text):
        """Write an overlay config into the checkout; return its path."""
        path = self.folder / "overlay.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def git(self, *arguments):
        """Run git in the checkout."""
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)


def _files():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
