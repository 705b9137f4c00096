"""Test the status of a grid that consists of files."""

import re

import pytest

from babelgrid.errors import UserError
from babelgrid.operations.status import describe_status, measured_seconds, read_rows
from babelgrid.runtime.job import job

LANGUAGES = ["en", "hu"]
ROWS = [("none", 0), ("en", 0), ("en", 1)]


@pytest.fixture
def results(tmp_path):
    """Return a grid with one adapter scored, one adapter failed, and the untuned base scored on one language."""
    _write(tmp_path / "adapters/en/seed0/adapter_model.safetensors")
    for cell in ("none/seed0/en", "en/seed0/en", "en/seed0/hu"):
        _write(tmp_path / f"predictions/{cell}.parquet")
    _write(tmp_path / "logs/predict/none/seed0.log", "2026-11-25 08:00:00,000 hu: 3 posts\n")
    _write(tmp_path / "logs/finetune/en/seed1.log", "2026-11-25 08:00:00,000 the base cannot be loaded\n")
    for seconds, job_name in ((20, "finetune/en/seed0"), (4, "predict/en/seed0")):
        _write(tmp_path / f"benchmarks/{job_name}.tsv", f"s\th:m:s\n{seconds}.0\t0:00:20\n")
    return tmp_path


def _write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _describe(results, per_cell=False):
    rows = read_rows(ROWS, ["none"], LANGUAGES, results, per_cell)
    return describe_status(rows, LANGUAGES, results / "benchmarks")


def _marks(words):
    return {line.rsplit("  ", 2)[0].strip(): line.split()[-2:] for line in words.splitlines()[1:4]}


def test_state_of_each_cell_follows_from_its_files(results):
    words = _describe(results)
    assert _marks(words) == {"none seed0": ["#", "!"], "en seed0": ["#", "#"], "en seed1": ["!", "!"]}
    assert "cells: 3 done (#), 0 running (>), 3 failed (!), 0 missing (.)" in words
    assert f"finetune en/seed1: {results}/logs/finetune/en/seed1.log" in words
    assert "left: 1 finetune jobs at 20 s each, 2 predict jobs at 4 s each" in words


def test_failed_merge_is_shown_as_such(results):
    _write(results / "logs/merge_adapters/en~hu/seed0.log", "2026-11-25 08:00:00,000 leave no middle layer\n")
    rows = read_rows([*ROWS, ("en~hu", 0)], ["none"], LANGUAGES, results, per_cell=False, merged=["en~hu"])
    words = describe_status(rows, LANGUAGES, results / "benchmarks")
    assert f"merge_adapters en~hu/seed0: {results}/logs/merge_adapters/en~hu/seed0.log (" in words
    assert "left: 1 finetune jobs at 20 s each, 3 predict jobs at 4 s each" in words


def test_running_job_shows_its_last_line_until_it_is_killed(results):
    log = results / "logs/finetune/en/seed1.log"
    with job(log):
        _write_line(log, "2026-11-25 08:00:00,000 step 3 of 9, loss 0.5, 12 s left")
        words = _describe(results)
    assert _marks(words)["en seed1"] == [">", ">"]
    assert "finetune en/seed1: step 3 of 9, loss 0.5, 12 s left" in words
    _write(log, "2026-11-25 08:00:00,000 step 3 of 9")
    assert _marks(_describe(results))["en seed1"] == ["!", "!"]


def _write_line(path, text):
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text + "\n")


def test_failed_job_is_shown_with_its_reason(results):
    for seed, error in (
        (1, RuntimeError("secret words")),
        (0, UserError("the base has no tokenizer: all is finished")),
    ):
        with (
            pytest.raises(SystemExit),
            job(results / f"logs/{'finetune/en' if seed else 'predict/none'}/seed{seed}.log"),
        ):
            raise error
    words = _describe(results)
    assert re.search(r"seed1\.log \(failed unexpectedly: RuntimeError at .*\)$", words, re.MULTILINE)
    assert "seed0.log (failed: the base has no tokenizer: all is finished)" in words
    assert "secret words" not in words


@pytest.mark.parametrize(
    "left", [b"", b"2026-11-25 08:00", b"\xff\xfe\x00 half a line", b"2026-11-25 08:00:00,000 step 3"]
)
def test_job_killed_at_any_point_is_shown_as_killed(results, left):
    (results / "logs/finetune/en/seed1.log").write_bytes(left)
    words = _describe(results)
    assert _marks(words)["en seed1"] == ["!", "!"]
    assert "seed1.log (it was killed and logged no reason" in words


def test_truncated_benchmark_is_not_counted(results):
    for name, content in {"a": "", "b": "s\th:m", "c": "s\th:m:s\n-\t-\n", "d": "s\th:m:s\n2"}.items():
        _write(results / f"benchmarks/finetune/{name}.tsv", content)
    _write(results / "benchmarks/finetune/e.tsv", "h:m:s\n0:00:20\n")
    assert measured_seconds(results / "benchmarks/finetune") == [2.0, 20.0]


def test_deleted_outputs_of_finished_job_are_missing(results):
    _write(
        results / "logs/finetune/en/seed1.log",
        "2026-11-25 08:00:00,000 step 9 of 9\n2026-11-25 08:00:00,000 finished\n",
    )
    assert _marks(_describe(results))["en seed1"] == [".", "."]


def test_cells_with_own_jobs_fail_independently(results):
    for name in ("en", "hu"):
        _write(results / f"logs/predict/none/seed0/{name}.log", "2026-11-25 08:00:00,000 no memory\n")
    words = _describe(results, per_cell=True)
    assert _marks(words)["none seed0"] == ["#", "!"]
    assert re.search(r"predict none/seed0/hu: .*logs/predict/none/seed0/hu.log", words)


def test_time_is_unknown_before_the_first_job(tmp_path):
    words = _describe(tmp_path)
    assert "6 missing" in words
    assert "so the time is unknown" in words
