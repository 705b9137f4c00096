"""Test that a config mistake gives one clear line: file, key, what was found, what is allowed."""

from pathlib import Path

import pytest
import yaml

from babelgrid.config.load import read_experiment
from babelgrid.errors import UserError
from babelgrid.grid import build_grid

LAB = Path(__file__).parents[2] / "config" / "config.yaml"

MISTAKES = {
    "unknown key": ({"finetune": {"learnin_rate": 1}}, ["finetune", "'learnin_rate'", "did you mean 'learning_rate'"]),
    "wrong type": ({"finetune": {"epochs": "many"}}, ["finetune.epochs", "'many'"]),
    "out of range": ({"finetune": {"lora": {"rank": 0}}}, ["finetune.lora.rank", "found 0"]),
    "not a choice": ({"finetune": {"loss": "labels"}}, ["finetune.loss", "'label' or 'all'", "'labels'"]),
    "yaml boolean": ({"languages": {"train": ["en", False]}}, ["languages.train.1", "bare no", "quotes"]),
    "not a language": ({"languages": {"train": ["en", "xx"]}}, ["languages.train.1", "'xx'", "BCP-47"]),
    "old language code": ({"languages": {"train": ["en", "in"]}}, ["'in'", "'id'", "aliases"]),
    "two sources": ({"posts": {"files": ["a.csv"]}}, ["posts", "exactly one", "files, lab"]),
    "two bases": ({"base": {"folder": "x"}}, ["base", "exactly one", "folder, lab"]),
    "no base": ({"base": None}, ["base: required", "predictions.import"]),
    "a base beside predictions": ({"predictions": {"import": {"files": ["a.csv"]}}}, ["instead of posts and base"]),
    "predictions without seeds": (
        {"posts": None, "base": None, "predictions": {"import": {"files": ["a.csv"]}}},
        ["seeds", "write seeds: [0]"],
    ),
    "parts without their column": (
        {"posts": None, "base": None, "predictions": {"import": {"files": ["a.csv"], "parts": ["test"]}}},
        ["predictions.import", "columns.part"],
    ),
    "a label without probability": (
        {
            "seeds": [0],
            "posts": None,
            "base": None,
            "predictions": {"import": {"files": ["a.csv"], "probabilities": {"pro": "p"}}},
        },
        ["probabilities", "pro, anti, neutral, unrelated", "found pro"],
    ),
    "unknown key beside an alias": (
        {"predictions": {"imports": {}}},
        ["'imports'", "did you mean 'import'"],
    ),
    "GGUF without a full commit": (
        {"base": {"lab": None, "gguf": "a/b/c.gguf", "revision": "main"}},
        ["base", "revision", "40-digit"],
    ),
    "GGUF of a repository without its file": (
        {"base": {"lab": None, "gguf": "b/c.gguf", "revision": "0" * 40}},
        ["base", "'b/c.gguf'", "owner/name/file.gguf"],
    ),
    "GGUF that leaves the repository": (
        {"base": {"lab": None, "gguf": "a/b/../c.gguf", "revision": "0" * 40}},
        ["base", "owner/name/file.gguf"],
    ),
    "GGUF of another kind": ({"base": {"lab": None, "gguf": "model.bin"}}, ["base", "'model.bin'", ".gguf"]),
    "GGUF beside another base": ({"base": {"gguf": "model.gguf"}}, ["base", "exactly one", "found gguf, lab"]),
    "revision without a repository": ({"base": {"revision": "0" * 40}}, ["base", "revision", "hub", "gguf"]),
    "hub without revision": ({"base": {"lab": None, "hub": "a/b"}}, ["base", "revision", "40-digit"]),
    "template without text": ({"prompt": {"template": "Label:"}}, ["prompt", "{text}", "exactly once"]),
    "unknown label in a view": (
        {"views": {"topic": {"related": ["proo"], "unrelated": ["unrelated"]}}},
        ["views.topic", "'proo'", "did you mean 'pro'"],
    ),
    "budget without size": ({"mixtures": {"posts": None}}, ["mixtures", "budget: equal"]),
    "batch not divided": ({"finetune": {"micro_batch_size": 5}}, ["micro_batch_size (5)", "batch_size (16)"]),
    "one spelling, two labels": ({"labels": {"pro": {"aliases": ["ANTI"]}}}, ["labels", "'pro'", "'anti'"]),
    "bad folder name": ({"experiment": "a/b"}, ["experiment", "'a/b'"]),
    "split leaves nothing": ({"posts": {"split": {"dev": 0.5, "test": 0.5}}}, ["posts.split", "leaves nothing"]),
}


def overlay(tmp_path, content):
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", MISTAKES)
def test_message_names_file_key_and_allowed_values(tmp_path, name):
    content, expected = MISTAKES[name]
    path = overlay(tmp_path, content)
    with pytest.raises(UserError) as error:
        read_experiment(LAB, path)
    for words in expected:
        assert words in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("mixtures", "expected"),
    [
        ({"monolingual": ["en", "sv"]}, "'sv' is not in languages.train"),
        ({"doses": [{"base": "eng", "add": ["hu"], "sizes": [5]}]}, "did you mean 'en'"),
        ({"doses": [{"base": "en", "add": ["en"], "sizes": [5]}]}, "already in the base mixture"),
        ({"sets": {"all": ["en", "es"]}}, "is taken"),
    ],
)
def test_invalid_mixture_is_rejected(tmp_path, mixtures, expected):
    with pytest.raises(UserError, match=expected):
        build_grid(read_experiment(LAB, overlay(tmp_path, {"mixtures": mixtures})))


@pytest.mark.parametrize("text", ["a: [", "- just\n- a list", "\x00"])
def test_file_without_a_block_of_keys_is_named(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"broken\.yaml"):
        read_experiment(path)


def test_missing_file_is_named():
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        read_experiment("nowhere.yaml")
