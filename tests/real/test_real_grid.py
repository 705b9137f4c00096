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
languages: {train: [en], test: [fr, it, ko]}
posts: {parts: {train: [train], test: [test_extra]}, leave_out: [test]}
mixtures: {none: true, monolingual: [en], pairs: [], all: false, posts: 240}
finetune: {epochs: 2}
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
    scores = pd.read_csv(tables / "scores.csv", keep_default_na=False, na_values=[""])
    topic = scores[scores["view"] == "topic"].set_index(["mixture", "test_language"])
    # Two of the 70 Korean tweets copy others.
    assert topic.loc["en", "n"].to_dict() == {"fr": 100, "it": 100, "ko": 68}
    # 240 English tweets already teach the topic in French, better than chance and than the untuned base.
    assert topic.loc[("en", "fr"), "score"] > 0.6 > topic.loc[("none", "fr"), "score"]
    usage = read_json(tmp_path / "results/tweets_gemma/usage/finetune/en/seed0.json")
    assert usage["device"].startswith("CPU")
    assert 1000 < usage["peak_memory_mb"] < 4500
