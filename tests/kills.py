"""Kill a running job, which is found by the process that has its log open."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from babelgrid.runtime.job import is_running


def kill_job(checkout, overlay, target, log, is_time):
    """Start the target, kill -9 the job that writes the log once `is_time()`, and return Snakemake's exit code."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        target,
        "--cores",
        "1",
        "--configfile",
        *checkout.configs,
        str(overlay),
    ]
    run = subprocess.Popen(command, cwd=checkout.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (log.is_file() and is_running(log) and is_time()):
        assert run.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(holder(log), signal.SIGKILL)
    return run.wait(120)


def holder(log):
    """Return the process that has the log open and locked (proc(5): /proc/locks)."""
    inode = log.stat().st_ino
    lines = Path("/proc/locks").read_text(encoding="ascii")
    return int(re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:{inode}\s", lines).group(1))
