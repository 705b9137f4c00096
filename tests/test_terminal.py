"""Test that a terminal shows a progress bar and a log contains lines."""

import os
import pty
import subprocess
import sys

import pytest

WORK = """
import sys, time
from babelgrid.runtime.job import job
from babelgrid.runtime.progress import progress_bar
with job(sys.argv[1]):
    bar = progress_bar(4, 1, " steps")
    for _ in range(3):
        time.sleep(0.6)
        bar.update()
    bar.close()
"""


def _run(log, stderr):
    return subprocess.Popen([sys.executable, "-c", WORK, str(log)], stderr=stderr)


@pytest.mark.slow
def test_named_bar_is_drawn_on_terminal_and_not_in_log(tmp_path):
    log = tmp_path / "finetune/en/seed0.log"
    terminal, handle = pty.openpty()
    process = _run(log, handle)
    os.close(handle)
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    assert process.wait(30) == 0
    assert b"finetune/en/seed0:" in shown
    assert b"3/4" in shown
    assert log.read_bytes().endswith(b" finished\n")
    assert b"\r" not in log.read_bytes()


@pytest.mark.slow
def test_no_bar_is_drawn_without_a_terminal(tmp_path):
    process = _run(tmp_path / "seed0.log", subprocess.PIPE)
    assert process.communicate(timeout=30)[1] == b""
    assert b"\r" not in (tmp_path / "seed0.log").read_bytes()
