"""Run a master that is started by `babelgrid.launch` and submits to the private cluster."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = """
default-resources: {slurm_account: test, slurm_partition: cpu, mem_mb: 2000 * attempt, runtime: 10 * attempt}
"""
# Settings that replace the profile's long intervals, which would slow the tests down.
IMPATIENT = ("--slurm-init-seconds-before-status-checks", "1", "--max-status-checks-per-second", "1", "--retries", "3")


class Master:
    """Snakemake in a folder, started by `babelgrid.launch` with the shipped profile and its own site profile."""

    def __init__(self, folder, cluster, *arguments):
        self.folder = folder
        self.cluster = cluster
        self.said = folder / "said"
        site = folder / "profiles/test/config.yaml"
        site.parent.mkdir(parents=True, exist_ok=True)
        site.write_text(SITE)
        profiles = ["--workflow-profile", str(ROOT / "profiles/slurm"), "--profile", "profiles/test"]
        self.command = [sys.executable, "-m", "babelgrid.launch", *profiles, *IMPATIENT, *arguments]
        self.environment = {**cluster.environment, "PYTHONPATH": str(ROOT / "src")}

    def start(self):
        """Start in the background; the output goes to a file."""
        with self.said.open("a") as stream:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdout=stream, stderr=stream
            )
        return self

    def wait(self, seconds=900):
        """Wait for a successful end, and start requeued jobs immediately in the meantime."""
        self.until(lambda: self.process.poll() is not None, seconds)
        assert self.process.returncode == 0, self.text()[-6000:]

    def until(self, is_so, seconds=480):
        """Wait until `is_so()` is true, and start requeued jobs immediately in the meantime; return its value."""
        end = time.monotonic() + seconds
        while not (found := is_so()):
            assert time.monotonic() < end, self.text()[-6000:]
            self.cluster.hasten()
            time.sleep(0.5)
        return found

    def text(self):
        return self.said.read_text()

    def running(self, rule):
        """Return {job id: node} of a rule's jobs whose script has started."""
        jobs = self.cluster.jobs("RUNNING")
        return {job: node for job, (_, node, comment) in jobs.items() if rule in comment and self.scripts(rule, node)}

    def scripts(self, rule, node="*"):
        """Return the ids of the processes that run a rule's script (on a node)."""
        return [process for process in self.cluster.step_processes(node) if f".{rule}.py" in _command(process)]

    def stop(self):
        """Stop the master and its jobs in any case."""
        self.process.kill()
        self.process.wait()
        self.cluster.cancel_all()


def _command(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""
