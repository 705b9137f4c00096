"""A small part of the real grid: one adapter of a real base on real tweets, tested in three languages."""

from pathlib import Path

import pandas as pd
import pytest

from babelgrid.runtime.files import read_json
from checkout import Checkout

pytestmark = pytest.mark.real

BASE = Path(__file__).parents[2] / "data/bases/gemma-3-270m"
PART = """
seeds: [0]
languages: {train: [en], test: [en, fr, ko]}
mixtures: {none: true, monolingual: [en], pairs: [], all: false, posts: 48}
finetune: {epochs: 1}
score: {bootstrap: 100}
rivals: null
"""


def test_english_adapter_of_a_real_base_scores_three_languages(shared_file, tmp_path):
    if not BASE.is_dir():
        pytest.skip(f"{BASE} is missing: run `make real-bases`")
    checkout = Checkout(tmp_path, "config/tweets_gemma.yaml").fill()
    for name, target in {"immigration13": shared_file("data/immigration13"), "bases": BASE.parent}.items():
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(target)
    tables = tmp_path / "results/tweets_gemma/tables"
    targets = [str((tables / name).relative_to(tmp_path)) for name in ("scores.csv", "warnings.csv")]
    result = checkout.snakemake(*targets, overlays=[checkout.overlay(PART)])
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    cells = pd.read_csv(tables / "cells.csv", keep_default_na=False, na_values=[""])
    topic = cells[cells["view"] == "topic"].set_index(["mixture", "test_language"])
    assert topic.loc["en", "n"].to_dict() == {"en": 375, "fr": 125, "ko": 70}
    # 48 English tweets already teach the topic: better than chance in English, and than the untuned base everywhere.
    assert topic.loc[("en", "en"), "macro_f1"] > 0.6
    assert (topic.loc["en", "macro_f1"] > topic.loc["none", "macro_f1"]).all()
    usage = read_json(tmp_path / "results/tweets_gemma/usage/finetune/en/seed0.json")
    assert usage["device"] == "CPU, threads: 1"
    assert 1000 < usage["peak_memory_mb"] < 4500
