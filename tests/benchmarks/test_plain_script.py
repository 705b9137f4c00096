"""The plain script runs in miniature, with babelgrid's prompts, from posts to its table."""

import json
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("trl", reason="trl is not installed: make .venv/bench.stamp")
pytest.importorskip("lm_eval", reason="lm_eval is not installed: make .venv/bench.stamp")

from babelgrid.config.load import read_experiment
from babelgrid.mixture import Mixture
from babelgrid.model.examples import train_examples
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json, write_json, write_parquet
from benchmarks.grid import plain_script
from benchmarks.grid.plan import write_plan
from benchmarks.grid.run import line_up, report, table
from benchmarks.measure import Measured

CONFIG = """
experiment: bench
seeds: [0]
languages: {train: [en, es]}
labels: {pro: {answer: " pro"}, unrelated: {answer: " other"}}
views: {topic: {related: [pro], unrelated: [unrelated]}}
posts: {files: [posts.csv]}
base: {folder: base}
prompt: {template: "{text}\\n="}
mixtures: {all: false, pairs: [{base: [en], languages: [es]}], budget: equal, posts: 16}
finetune: {epochs: 1, lora: {rank: 4}}
"""


@pytest.fixture
def grid(tmp_path, random_base):
    (tmp_path / "grid.yaml").write_text(CONFIG, encoding="utf-8")
    experiment = read_experiment(tmp_path / "grid.yaml")
    write_json(tmp_path / "base.json", read_json(random_base()))
    for language in ("en", "es"):
        rows = [
            {"id": f"{language}{i}", "text": f"post {i}", "label": label, "split": split}
            for i, (label, split) in enumerate([("pro", "train"), ("unrelated", "train")] * 8 + [("pro", "test")] * 3)
        ]
        write_parquet(tmp_path / f"posts/{language}.parquet", pd.DataFrame(rows), {})
    return experiment, tmp_path, write_plan(experiment, tmp_path, tmp_path / "plain", workers=1)


def test_plain_script_trains_on_same_prompts(grid):
    experiment, results, plan_path = grid
    [adapter] = json.loads(plan_path.read_text(encoding="utf-8"))["adapters"].values()
    posts = json.loads(Path(adapter["posts"]).read_text(encoding="utf-8"))
    mixture = Mixture("en+es", ("en", "es"))
    train = read_train_posts({language: results / f"posts/{language}.parquet" for language in mixture.languages})
    sample = sample_posts(train, mixture, 0, 16)
    tokenizer = load_tokenizer(read_json(results / "base.json")["folder"])
    examples = train_examples(sample, experiment.prompt, experiment.labels, "label", tokenizer)
    asked = [tokenizer(post["prompt"] + post["completion"])["input_ids"] for post in posts]
    assert [tuple(ids)[: len(example.ids)] for ids, example in zip(asked, examples, strict=True)] == [
        example.ids for example in examples
    ]


@pytest.mark.parametrize("tuned", [False, True])
def test_plain_script_runs_from_posts_to_table(grid, tuned):
    _, _, plan_path = grid
    plan = json.loads(plan_path.read_text(encoding="utf-8"))
    plain_script.train(plan, "en+es/0", tuned)
    plain_script.score(plan, "en+es/0", ["en", "es"], tuned)
    plain_script.tabulate(plan)
    made = pd.read_csv(Path(plan["out"]) / "table.csv", index_col="mixture")
    assert list(made.columns) == ["en", "es"]
    assert made.loc["en+es"].between(0, 1).all()


def test_side_starts_from_scratch(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.grid.run.WORK", tmp_path)
    (tmp_path / "out").mkdir()
    plan = tmp_path / "plan.json"
    plan.write_text("{}", encoding="utf-8")
    with pytest.raises(RuntimeError, match="KeyError"):
        line_up([], [], plan)["plain script tuned"]()
    assert not (tmp_path / "out").exists()


def test_ratios_are_computed_within_a_round():
    rounds = [
        {"babelgrid": Measured(10, 20, 100, ""), "plain": Measured(30, 80, 200, "")},
        {"babelgrid": Measured(20, 40, 100, ""), "plain": Measured(80, 160, 300, "")},
        {"babelgrid": Measured(10, 20, 100, ""), "plain": Measured(50, 80, 200, "")},
    ]
    row = report("plain", rounds, {"topic_macro_f1": 0.5, "accuracy": 0.25})
    assert row["wall_ratio"] == {"median": 4, "min": 3, "max": 5}
    assert "| plain | 50 (30 to 80) | 80 (80 to 160) | 300 | 4.0 (3.0 to 5.0) |" in table([row])
