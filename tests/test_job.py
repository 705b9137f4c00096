"""Test that the log explains how a job ended, and that the terminal shows one message without data."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from babelgrid.errors import UserError
from babelgrid.operations.status import last_line
from babelgrid.runtime.failures import describe_error
from babelgrid.runtime.job import FINISHED, is_running, job

WORK = """
import os, signal, sys, time
from pathlib import Path
from babelgrid.runtime.files import whole_file
from babelgrid.runtime.job import job
with job(sys.argv[1]):
    {body}
"""


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs/finetune/en/seed0.log"


def text(log):
    return log.read_text(encoding="utf-8")


def run(log, body, **options):
    source = str(Path(__file__).parents[1] / "src")
    return subprocess.Popen(
        [sys.executable, "-c", WORK.format(body=body), str(log)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
        # Tests that run in the background of a script ignore Ctrl-C, and their child processes would inherit this.
        **{"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options},
    )


def ended(log, error, capfd):
    """End a job with an error; return the text on the terminal and in the log."""
    with pytest.raises(SystemExit) as end, job(log):
        raise error
    assert end.value.code == 1
    shown = capfd.readouterr().err
    assert "Traceback" not in shown
    return shown, text(log)


def test_unexpected_error_logs_traceback_and_shows_no_data(log, capfd):
    shown, logged = ended(log, KeyError("the words of a post"), capfd)
    place = f"test_job.py:{line_of('        raise error')}"
    assert shown.strip() == f"babelgrid: finetune/en/seed0 failed unexpectedly: KeyError at {place} (see {log})"
    assert "Traceback (most recent call last)" in logged
    assert "KeyError: 'the words of a post'" in logged
    assert last_line(log).startswith("failed unexpectedly: KeyError at ")


def line_of(code):
    return 1 + Path(__file__).read_text(encoding="utf-8").splitlines().index(code)


def test_unexpected_error_in_library_reports_its_location(log, capfd):
    with pytest.raises(SystemExit), job(log):
        is_running(None)
    assert "TypeError at babelgrid/runtime/job.py:" in capfd.readouterr().err


def test_user_error_shows_message_without_traceback(log, capfd):
    shown, logged = ended(log, UserError("posts.csv: no column 'text'"), capfd)
    assert shown.strip() == "babelgrid: posts.csv: no column 'text'"
    assert "Traceback" not in logged
    assert last_line(log) == "failed: posts.csv: no column 'text'"


class RustError(Exception):
    """Error as raised by a Rust library: its own type, with the number of the system error in the message."""


def caused(error, cause):
    error.__cause__ = cause
    return error


def sqlite_full():
    with sqlite3.connect(":memory:") as file:
        file.execute("PRAGMA max_page_count = 2")
        try:
            file.execute("CREATE TABLE wide AS SELECT zeroblob(100000)")
        except sqlite3.OperationalError as error:
            return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
        OSError("Error writing bytes to file: No space left on device"),
        RustError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("write failed: No space left on device"),
        caused(ValueError("cannot save"), OSError(errno.ENOSPC, "x")),
        sqlite_full(),
    ],
    ids=["system", "pyarrow", "pyarrow without a number", "Rust", "words alone", "as a cause", "SQLite"],
)
def test_full_disk_is_one_error_in_any_library(log, capfd, error):
    shown, logged = ended(log, error, capfd)
    assert "No space left on device. " in shown
    assert "free some space, and run again" in shown
    assert "Traceback" not in logged


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "permission"),
        (errno.ENOENT, "restore what was moved"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "check the disk"),
    ],
)
def test_file_error_names_file_and_advice(log, capfd, number, advice):
    shown, _ = ended(log, OSError(number, os.strerror(number), "results/a.parquet"), capfd)
    assert f"results/a.parquet: {os.strerror(number)}" in shown
    assert advice in shown
    assert "run again" in shown


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            "not enough memory",
        ),
        (RecursionError(), "nested too deeply"),
        (OverflowError(), "too large to compute with"),
        (UnicodeEncodeError("utf-8", "a post \ud800", 7, 8, "surrogates not allowed"), "lone surrogate"),
        (sqlite3.OperationalError("no such table: seen"), "a database cannot be used"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "the program at the other end"),
    ],
)
def test_known_error_is_explained_and_keeps_traceback(error, words):
    with pytest.raises(type(error)) as raised:
        raise error
    said, is_traced = describe_error(raised.value)
    assert said.startswith("failed: ")
    assert words in said
    assert type(error).__name__ in said
    assert "a post" not in said
    assert is_traced


def test_undecodable_name_is_shown(log, capfd):
    shown, _ = ended(log, UserError("data/\udcff.csv: no column"), capfd)
    assert "no column" in shown


@pytest.mark.slow
def test_broken_pipe_shows_no_traceback(log):
    reader, writer = os.pipe()
    os.close(reader)
    process = run(log, "print('a table', flush=True)", stdout=writer)
    os.close(writer)
    _, shown = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Traceback" not in shown
    assert "Exception ignored" not in shown
    assert "Broken pipe" in shown


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signal_ends_job_with_message_and_no_temporary_files(log, number):
    body = f"""
    with whole_file({str(log.with_name("table"))!r}):
        os.kill(os.getpid(), {int(number)})
        time.sleep(600)
"""
    process = run(log, body)
    _, shown = process.communicate(timeout=300)
    assert process.returncode == 1
    assert shown.strip() == f"babelgrid: stopped by {number.name}. Finished work is kept: run again to continue"
    assert "Traceback" not in text(log)
    assert last_line(log).startswith(f"failed: stopped by {number.name}")
    assert sorted(path.name for path in log.parent.iterdir()) == ["seed0.log", "seed0.owner"]


@pytest.mark.slow
def test_signal_ignored_at_start_stays_ignored(log):
    process = run(
        log, "os.kill(os.getpid(), signal.SIGHUP)", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    assert process.communicate(timeout=300)[1] == ""
    assert process.returncode == 0
    assert last_line(log) == FINISHED


@pytest.mark.slow
def test_second_ctrl_c_ends_slow_job(log):
    body = """
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        time.sleep(1.2)
        os.kill(os.getpid(), signal.SIGTERM)  # ignored, the job is already stopping
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(600)
"""
    process = run(log, body)
    assert "stopped by SIGINT" in process.communicate(timeout=300)[1]
    assert process.returncode == 1


@pytest.mark.slow
def test_crash_in_compiled_code_is_logged(log):
    process = run(log, "os.kill(os.getpid(), signal.SIGBUS)")
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGBUS
    assert "Fatal Python error: Bus error" in text(log)
    assert not is_running(log)


def test_log_that_is_a_link_is_not_followed(log):
    log.parent.mkdir(parents=True)
    precious = log.with_name("thesis")
    precious.write_text("years of work", encoding="utf-8")
    log.symlink_to(precious)
    with job(log):
        pass
    assert not log.is_symlink()
    assert last_line(log) == FINISHED
    owner = log.with_suffix(".owner")
    owner.unlink()
    owner.symlink_to(precious)
    with pytest.raises(SystemExit), job(log):
        pytest.fail("the job must not begin")
    owner.unlink()
    os.link(precious, owner)
    with pytest.raises(SystemExit), job(log):
        pytest.fail("the job must not begin")
    assert precious.read_text(encoding="utf-8") == "years of work"
    assert "is a link or not a regular file" in last_line(log)


def test_uncreatable_log_is_one_error(tmp_path, capfd):
    (tmp_path / "logs").write_text("a file in place of the folder", encoding="utf-8")
    with pytest.raises(SystemExit), job(tmp_path / "logs/seed0.log"):
        pytest.fail("the job must not begin")
    shown = capfd.readouterr().err
    assert shown.count("babelgrid: ") == 1
    assert "Traceback" not in shown


def test_terminal_is_restored_after_the_job(log, capfd):
    with job(log):
        os.write(2, b"to the log\n")
    os.write(2, b"to the terminal\n")
    assert capfd.readouterr().err == "to the terminal\n"
    assert "to the log" in text(log)
