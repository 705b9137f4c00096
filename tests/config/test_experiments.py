"""Test that every shipped config loads, builds its grid and matches its schema; schema and manual are up to date."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from babelgrid.config.analysis import Exposure
from babelgrid.config.load import read_experiment
from babelgrid.config.schema import manual, overlay_schema_json, schema_json
from babelgrid.grid import build_grid
from babelgrid.mixture import trained_twins

CONFIG = Path(__file__).parents[2] / "config"
EXPERIMENTS = ["config.yaml", "paper.yaml", "grid13.yaml", "sib200.yaml", "tweets_gemma.yaml"]

OTHERS = [
    "archive.yaml",
    "embedded.yaml",
    "lab_merged.yaml",
    "lab_rivals.yaml",
    "lab_uniform.yaml",
    "published.yaml",
    "tweets_smollm2.yaml",
]


def test_every_shipped_file_is_tested_here():
    assert {path.name for path in CONFIG.glob("*.yaml")} == {*EXPERIMENTS, *OTHERS}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_shipped_experiment_builds_its_grid(name):
    grid = build_grid(read_experiment(CONFIG / name))
    assert len(grid.cells) == len(grid.rows) * len(grid.test_languages)
    assert len(grid.test_languages) == 13


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_embedded_overlay_replaces_the_base(name):
    plain, embedded = read_experiment(CONFIG / name), read_experiment(CONFIG / name, CONFIG / "embedded.yaml")
    assert embedded.base.lab is not None
    assert embedded.base.hub is None
    assert build_grid(embedded).cells == build_grid(plain).cells


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [*EXPERIMENTS, *OTHERS],
)
def test_shipped_file_matches_its_schema(name):
    text = (CONFIG / name).read_text(encoding="utf-8")
    schema = CONFIG / text.splitlines()[0].split("$schema=")[1]
    jsonschema.validate(yaml.safe_load(text), json.loads(schema.read_text(encoding="utf-8")))


def test_uniform_lab_differs_only_in_its_base():
    skewed = read_experiment(CONFIG / "config.yaml")
    uniform = read_experiment(CONFIG / "config.yaml", CONFIG / "lab_uniform.yaml")
    assert uniform.base.lab.shares == "uniform"
    assert uniform.intervention.against == skewed.experiment
    differing = {name for name in type(skewed).model_fields if getattr(skewed, name) != getattr(uniform, name)}
    assert differing == {"experiment", "base", "intervention"}
    assert build_grid(uniform).cells == build_grid(skewed).cells


def test_merged_lab_has_all_pairs_without_training_and_those_with_english_trained():
    grid = build_grid(read_experiment(CONFIG / "config.yaml", CONFIG / "lab_merged.yaml"))
    merged = [own for own in grid.mixtures.values() if own.merge]
    assert [own.merge.kind for own in merged] == ["average"] * 78 + ["swap"]
    assert len(trained_twins(grid.mixtures.values())) == 12 + 1


def test_schema_and_manual_match_the_models():
    hint = "run `make docs`"
    assert (CONFIG / "schema.json").read_text(encoding="utf-8") == schema_json(), hint
    assert (CONFIG / "schema-overlay.json").read_text(encoding="utf-8") == overlay_schema_json(), hint
    assert (CONFIG / "README.md").read_text(encoding="utf-8") == manual(), hint


def test_paper_config_matches_the_original_study():
    experiment = read_experiment(CONFIG / "paper.yaml")
    assert list(build_grid(experiment).mixtures) == ["none", "en", "es", "en+es", "all"]
    assert (experiment.finetune.lora.rank, experiment.finetune.lora.alpha, experiment.finetune.lora.dropout) == (
        64,
        32,
        0.1,
    )
    assert experiment.finetune.lora.targets == ["q_proj", "v_proj"]
    assert experiment.prompt.template.startswith("Tweet: {text}")


@pytest.mark.parametrize(
    ("tables", "hub", "origin"),
    [
        (["llama2", "fineweb2"], None, "Llama 2"),
        (["llama2"], "meta-llama/Llama-3.2-3B", "Llama 2"),
        (["llama2"], "meta-llama/Llama-2-7b-hf", None),
        (["fineweb2", "llama2"], "meta-llama/Llama-2-7b-hf", "FineWeb-2"),
        (["lab", "llama2"], None, None),
        (["shares/mine.csv"], "a/base", None),
    ],
)
def test_exposure_of_another_model_is_named(tables, hub, origin):
    expected = f"Exposure is that of {origin}, not of this base." if origin else ""
    assert Exposure(tables=tables).origin_note(hub) == expected
