"""The base is downloaded once, and never as code or a pickle.

The tests have no access to the Hub, so they create its cache by hand, in the layout of `huggingface_hub`.
"""

import json
import shutil
from pathlib import Path

import pytest

from babelgrid.config.base import Base
from babelgrid.errors import UserError
from babelgrid.model.hub import prefetch_base
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json, sha256

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(random_base, tmp_path):
    return Path(shutil.copytree(read_json(random_base())["folder"], tmp_path / "base"))


def test_local_folder_is_recorded_with_checksums(folder, tmp_path):
    prefetch_base(Base(folder=str(folder)), None, tmp_path / "base.json")
    record = read_json(tmp_path / "base.json")
    assert record["folder"] == str(folder)
    assert record["sha256"]["model.safetensors"] == sha256(folder / "model.safetensors")


def test_cached_hub_base_needs_no_network(folder, tmp_path, monkeypatch):
    repository = tmp_path / "hub" / "models--org--model"
    shutil.copytree(folder, repository / "snapshots" / REVISION)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    prefetch_base(Base(hub="org/model", revision=REVISION), None, tmp_path / "base.json")
    record = read_json(tmp_path / "base.json")
    assert (record["name"], record["revision"]) == ("org/model", REVISION)
    assert load_tokenizer(record["folder"]).bos_token == "<|begin|>"


def test_unavailable_hub_base_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"org/model at .* `snakemake prefetch.*base\.folder"):
        prefetch_base(Base(hub="org/model", revision=REVISION), None, tmp_path / "base.json")
    assert not (tmp_path / "base.json").exists()


def test_pickled_weights_are_refused(folder, tmp_path):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="Pickled weights are not supported"):
        prefetch_base(Base(folder=str(folder)), None, tmp_path / "base.json")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_base_with_custom_code_is_refused(folder, tmp_path, name):
    content = read_json(folder / name)
    (folder / name).write_text(json.dumps({**content, "auto_map": {"AutoModelForCausalLM": "code.Model"}}))
    with pytest.raises(UserError, match="auto_map"):
        prefetch_base(Base(folder=str(folder)), None, tmp_path / "base.json")


@pytest.mark.parametrize(("name", "words"), [("config.json", "no config.json"), ("tokenizer.json", "no tokenizer")])
def test_missing_file_of_the_base_is_named(folder, tmp_path, name, words):
    (folder / name).unlink()
    with pytest.raises(UserError, match=words):
        prefetch_base(Base(folder=str(folder)), None, tmp_path / "base.json")
