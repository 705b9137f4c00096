"""Test the estimate of a grid with token counts and speeds that keep the arithmetic simple."""

import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.errors import UserError
from babelgrid.mixture import Merge, Mixture
from babelgrid.operations.estimate import (
    Row,
    Speed,
    Workers,
    count_jobs,
    describe_estimate,
    estimate_rows,
    tabulate,
    wall_seconds,
)
from babelgrid.runtime.files import write_json

SPEED = Speed("a device", "measured", start_seconds=5, trained=10, scored=100, adapter_bytes=1_000_000)
# 4 train posts of 10 tokens and 2 test posts of 50 tokens in each language; Hungarian has twice the tokens.
POSTS = pd.DataFrame(
    [
        {"language": language, "split": split, "prompt_tokens": factor * tokens}
        for language, factor in (("en", 1), ("hu", 2))
        for split, tokens, count in (("train", 10, 4), ("test", 50, 2))
        for _ in range(count)
    ]
)
ROWS = [(Mixture("none"), 0), (Mixture("en", ("en",)), 0), (Mixture("en+hu@2", ("en",), "hu", 2), 0)]


def _rows(**changes):
    settings = {"rows": ROWS, "budget": None, "epochs": 3, "test_languages": ["en", "hu"], "per_cell": False}
    return estimate_rows(POSTS, SPEED, **settings | changes)


def test_job_time_is_start_plus_tokens():
    none, english, dosed = _rows()
    assert none.finetune is None
    assert english.finetune == 5 + 3 * 40 / 10
    assert dosed.finetune == 5 + 3 * (40 + 2 * 20) / 10
    assert english.predict == {"en/seed0": 5 + (100 + 200) / 100}


def test_merged_row_is_scored_but_not_trained():
    english, dosed = (mixture for mixture, _ in ROWS[1:])
    merged = Mixture("en~en+hu@2", ("en", "hu"), merge=Merge((english, dosed), (0.5, 0.5)))
    rows = _rows(rows=[*ROWS, (merged, 0)])
    assert rows[-1].finetune is None
    assert rows[-1].predict.keys() == {"en~en+hu@2/seed0"}
    assert [row.adapters for row in rows] == [0, 1, 1, 2]


def test_budget_limits_trained_posts():
    assert _rows(budget=2)[1].finetune == 5 + 3 * 20 / 10


def test_each_job_of_a_cell_pays_its_start():
    assert _rows(per_cell=True)[0].predict == {"none/seed0/en": 6, "none/seed0/hu": 7}


def _benchmark(folder, rule, seconds_by_job):
    for name, seconds in seconds_by_job.items():
        path = folder / rule / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:00\n", encoding="utf-8")


def test_finished_jobs_calibrate_the_estimate(tmp_path):
    rows = [Row(f"m{number}/seed0", 10.0, {f"m{number}/seed0": 4.0}) for number in range(6)]
    _benchmark(tmp_path, "finetune", {f"m{number}/seed0": 15.0 for number in range(3)})
    _benchmark(tmp_path, "predict", {f"m{number}/seed0": 40.0 for number in range(2)})
    table = tabulate(rows, {"finetune": 6, "check_posts": 1, "all": 1}, tmp_path).set_index("rule")
    assert table.loc["finetune", "estimated"] == 60
    assert table.loc["finetune", "calibrated"] == 90
    assert table.loc["predict", "calibrated"] == 24, "two jobs are too few for calibration"
    assert list(table.index) == ["finetune", "predict", "check_posts"]


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0.1, 1e5), st.floats(0.1, 1e5)), min_size=1, max_size=5))
def test_finished_rule_takes_exactly_its_measured_time(jobs):
    rows = [Row(f"m{number}/seed0", estimated, {}) for number, (estimated, _) in enumerate(jobs)]
    with tempfile.TemporaryDirectory() as folder:
        _benchmark(Path(folder), "finetune", {f"m{number}/seed0": took for number, (_, took) in enumerate(jobs)})
        table = tabulate(rows, {}, Path(folder)).set_index("rule")
    assert table.loc["finetune", "calibrated"] == table.loc["finetune", "measured"]


def test_rows_share_workers_and_other_rules_share_cores(tmp_path):
    rows = [Row(f"m{number}", seconds, {}) for number, seconds in enumerate([60.0, 30.0, 30.0])]
    table = tabulate(rows, {}, tmp_path)
    assert wall_seconds(rows, table, Workers(2, 1, 1, None)) == 60
    assert wall_seconds(rows, table, Workers(1, 1, 1, None)) == 120
    assert wall_seconds(rows, table, Workers(1, 2, 1, None)) == 60


def test_estimate_shows_hours_disk_and_dollars(tmp_path):
    write_json(tmp_path / "base.json", {"folder": str(tmp_path)})
    rows = [Row("en/seed0", 7200.0, {"en/seed0": 3600.0})]
    table = tabulate(rows, {"check_posts": 2}, tmp_path / "benchmarks")
    words = describe_estimate(rows, table, SPEED, Workers(1, 2, 4, 1.5), tmp_path / "base.json", test_posts=1000)
    assert "GPU hours for the grid: 1.50" in words
    assert "dollars at 1.5 an hour: 2.25" in words
    assert "disk: 0.00 GB" in words
    without_price = describe_estimate(rows, table, SPEED, Workers(None, 1, 2, None), tmp_path / "base.json", 1)
    assert "dollars" not in without_price
    assert "machine hours for the grid: 3.00" in without_price


def test_jobs_are_counted_from_snakemakes_table():
    table = "Job stats:\njob       count\n------  -------\nfinetune      18\nall            1\ntotal         19\n"
    assert count_jobs([sys.executable, "-c", f"print({table!r})"]) == {"finetune": 18, "all": 1}
    with pytest.raises(UserError, match=r"cannot plan the grid .*no such config"):
        count_jobs([sys.executable, "-c", "raise SystemExit('no such config')"])
