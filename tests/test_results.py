"""Test an experiment's results as tidy frames, and the example in docs/notebook.md."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import babelgrid
from babelgrid.errors import UserError
from babelgrid.runtime.files import write_csv

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.md"


@pytest.fixture
def folder(tmp_path):
    """Return a results folder with two test languages, one of them Min Nan (`nan`), which must not become NaN."""
    tables = tmp_path / "results/lab/tables"
    tables.mkdir(parents=True)
    key = {"view": "topic", "mixture": "en", "test_language": ["en", "nan"]}
    scores = pd.DataFrame({**key, "seeds": 2, "n": 100, "score": [0.9, 0.5], "low": 0.4, "high": 0.95, "ranked": True})
    write_csv(tables / "scores.csv", scores)
    write_csv(tables / "cells.csv", pd.DataFrame({**key, "seed": 0, "n": 100}))
    write_csv(tables / "comparisons.csv", pd.DataFrame({**key, "against": "all", "difference": 0.1}))
    exposure = pd.DataFrame({"mixture": "en", "language": ["en", "nan"], "share_llama2": [89.7, None]})
    write_csv(tables / "exposure.csv", exposure)
    predictions = tmp_path / "results/lab/predictions/en/seed1"
    predictions.mkdir(parents=True)
    pd.DataFrame({"id": ["nan-1"], "gold": "pro", "predicted": "pro"}).to_parquet(predictions / "nan.parquet")
    return tmp_path


def test_documented_example_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    [example] = re.findall(r"```python\n(.*?)```", NOTEBOOK.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(example, str(NOTEBOOK), "exec"), {})
    assert "89.7" in capsys.readouterr().out


def test_frames_are_tidy_and_codes_stay_text(folder):
    results = babelgrid.load(folder / "results/lab")
    assert results.scores["test_language"].tolist() == ["en", "nan"]
    assert results.predictions.loc[0, ["mixture", "seed", "language", "id"]].tolist() == ["en", 1, "nan", "nan-1"]
    assert results.cells is results.cells


def test_leftovers_of_killed_jobs_are_ignored(folder):
    results = folder / "results/lab"
    (results / "predictions/en/seed1/.nan.k3j_x9qa.parquet").write_bytes(b"PAR1")
    (results / "tables/.cells.k3j_x9qa.csv").write_text("view\n", encoding="utf-8")
    assert len(babelgrid.load(results).predictions) == 1
    with pytest.raises(UserError, match=r"Tables there: cells, comparisons, exposure, scores$"):
        babelgrid.load(results).table("x")


def test_missing_items_are_errors_with_alternatives(folder):
    results = babelgrid.load(folder / "results/lab")
    with pytest.raises(UserError, match="did you mean 'scores'"):
        results.table("score")
    with pytest.raises(UserError, match="imported predictions come without them"):
        _ = results.posts
    with pytest.raises(UserError, match="no such folder"):
        babelgrid.load(folder / "nowhere")


def test_import_babelgrid_loads_no_heavy_library():
    code = "import sys, babelgrid; print(sorted({'pandas', 'numpy', 'torch'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
