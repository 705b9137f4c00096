"""Jobs load only base files that match base.json; incomplete or changed bases raise a specific error."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from babelgrid import base_files
from babelgrid.base_files import STAMPS, base_folder, record_base, weights_digest
from babelgrid.config.base import Base
from babelgrid.errors import UserError
from babelgrid.model.base import Device, load_base
from babelgrid.model.hub import prefetch_base
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import read_json, write_json
from bases import write_base
from training import BASE

MODEL, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture
def folder(random_base, tmp_path):
    return Path(shutil.copytree(read_json(random_base())["folder"], tmp_path / "base"))


def prefetch(folder):
    prefetch_base(Base(folder=str(folder)), None, folder.parent / "base.json")
    return folder.parent / "base.json"


def load(base_path):
    return load_base(base_path, BASE, Device("cpu", torch.float32))


def change_weights(folder, change):
    save_file(change(load_file(folder / MODEL)), folder / MODEL, metadata={"format": "pt"})


def scaled(tensors):
    return {name: 3 * tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("keep_time", [False, True], ids=["new time", "old time"])
def test_weights_changed_after_recording_are_refused(folder, keep_time):
    base_path = prefetch(folder)
    before = (folder / MODEL).stat()
    change_weights(folder, scaled)
    if keep_time:
        os.utime(folder / MODEL, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (folder / MODEL).stat().st_size == before.st_size
    with pytest.raises(UserError, match=r"model\.safetensors: has changed since .*base\.json was written"):
        load(base_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "config.json"])
def test_tokenizer_only_jobs_refuse_a_changed_tokenizer(folder, name):
    base_path = prefetch(folder)
    (folder / name).write_text((folder / name).read_text() + " ")
    with pytest.raises(UserError, match=f"{name}: has changed"):
        load_base_tokenizer(base_path)


def test_tokenizer_only_jobs_do_not_need_the_weights(folder):
    base_path = prefetch(folder)
    (folder / MODEL).unlink()
    assert load_base_tokenizer(base_path).bos_token == "<|begin|>"
    with pytest.raises(UserError, match=r"model\.safetensors: is missing"):
        load(base_path)


@pytest.mark.parametrize("name", ["adapter_config.json", INDEX, "more.safetensors", "chat_template.jinja"])
def test_file_added_after_recording_is_refused(folder, name):
    base_path = prefetch(folder)
    (folder / name).write_text("{}")
    with pytest.raises(UserError, match=f"{name}: was added since"):
        load(base_path)


def test_unrelated_file_may_be_added(folder):
    base_path = prefetch(folder)
    (folder / "README.md").write_text("about")
    (folder / "pytorch_model.bin").write_text("a pickle")
    assert base_folder(base_path) == folder


def test_unchanged_files_are_not_hashed_again(folder, monkeypatch):
    base_path = prefetch(folder)
    hashed = []
    real = base_files.sha256
    monkeypatch.setattr(base_files, "sha256", lambda path: (hashed.append(path.name), real(path))[1])
    base_folder(base_path)
    assert hashed == []
    os.utime(folder / MODEL, ns=(1, 1))
    base_folder(base_path)
    base_folder(base_path)
    assert hashed == [MODEL]
    base_path.with_suffix(STAMPS).unlink()
    base_folder(base_path)
    assert len(hashed) == 1 + len(read_json(base_path)["sha256"])


def test_base_json_does_not_depend_on_file_times(folder):
    first = prefetch(folder).read_bytes()
    os.utime(folder / MODEL, ns=(1, 1))
    assert prefetch(folder).read_bytes() == first


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "[]", '{"model.safetensors": 3}'])
def test_damaged_stamps_are_not_trusted(folder, content):
    base_path = prefetch(folder)
    base_path.with_suffix(STAMPS).write_text(content)
    assert base_folder(base_path) == folder
    change_weights(folder, scaled)
    with pytest.raises(UserError, match="has changed"):
        base_folder(base_path)


def test_record_without_checksums_is_refused(folder):
    base_path = prefetch(folder)
    write_json(base_path, {"name": "base", "folder": str(folder)})
    with pytest.raises(UserError, match=r"lacks the folder, forward path or checksums .* Delete it and run"):
        load(base_path)


def test_symbolic_links_in_the_hub_cache_are_followed(folder, tmp_path):
    snapshot = tmp_path / "models--org--model/snapshots" / ("1" * 40)
    blobs = tmp_path / "models--org--model/blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(folder.iterdir()):
        path.rename(blobs / str(number))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(number))
    record_base("org/model", "1" * 40, snapshot, tmp_path / "base.json")
    assert load(tmp_path / "base.json") is not None


def test_weights_digest_depends_on_weights_only(folder, tmp_path):
    first = weights_digest(read_json(prefetch(folder)))
    (folder / "README.md").write_text("about")
    write_json(folder / "generation_config.json", {})
    assert weights_digest(read_json(prefetch(folder))) == first
    change_weights(folder, scaled)
    assert weights_digest(read_json(prefetch(folder))) != first


def without(*names):
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names}


Q_PROJ, NORM = "model.layers.1.self_attn.q_proj.weight", "model.norm.weight"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without(Q_PROJ), rf"they lack {Q_PROJ}\. Use"),
        (without(NORM, "model.embed_tokens.weight"), "they lack .*norm.weight"),
        (lambda tensors: {**tensors, "model.layers.7.mlp.up_proj.weight": torch.ones(2, 2)}, "also contain .*layers.7"),
        (lambda tensors: {**tensors, "score.weight": torch.ones(2, 2)}, r"they also contain score\.weight"),
        (lambda tensors: {**tensors, NORM: torch.ones(65)}, r"they have the wrong shape in model\.norm\.weight"),
    ],
)
def test_weights_that_do_not_fit_the_architecture_are_refused(folder, change, words):
    change_weights(folder, change)
    with pytest.raises(UserError, match=words):
        load(prefetch(folder))


@pytest.mark.slow
@settings(max_examples=12)
@given(data=st.data())
def test_base_without_any_of_its_tensors_is_refused(random_base, tmp_path_factory, data):
    folder = Path(shutil.copytree(read_json(random_base())["folder"], tmp_path_factory.mktemp("part") / "base"))
    names = sorted(load_file(folder / MODEL))
    lost = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=len(names) - 1, unique=True))
    change_weights(folder, without(*lost))
    with pytest.raises(UserError, match="they lack "):
        load(prefetch(folder))


def test_redundant_saved_tensors_are_accepted(folder):
    expected = load(prefetch(folder)).lm_head.weight

    def change(tensors):
        angles = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}
        return {**tensors, **angles, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}

    change_weights(folder, change)
    assert torch.equal(load(prefetch(folder)).lm_head.weight, expected)


def test_output_matrix_differing_from_tied_embedding_is_used(folder):
    change_weights(folder, lambda tensors: {**tensors, "lm_head.weight": 2 * tensors["model.embed_tokens.weight"]})
    model = load(prefetch(folder))
    assert torch.equal(model.lm_head.weight, 2 * model.model.embed_tokens.weight)
    assert model.config.tie_word_embeddings is False


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_non_finite_base_weight_is_refused_by_prefetch(folder, value, dtype):
    def change(tensors):
        tensor = tensors["model.embed_tokens.weight"].to(dtype)
        tensor[300, 5] = value
        return {**tensors, "model.embed_tokens.weight": tensor}

    change_weights(folder, change)
    with pytest.raises(UserError, match=r"embed_tokens\.weight contains a number that is not finite"):
        prefetch(folder)
    assert not (folder.parent / "base.json").exists()


def test_base_with_non_finite_outputs_is_refused(folder):
    change_weights(folder, lambda tensors: {**tensors, NORM: torch.full((64,), 3e38)})
    with pytest.raises(UserError, match=r"base: outputs in torch\.float32 are not finite"):
        load(prefetch(folder))


@pytest.mark.parametrize(
    "target", ["../other/model.safetensors", "/tmp/model.safetensors", "sub/x.safetensors", "x.bin"]
)
def test_index_pointing_outside_the_folder_is_refused(folder, target):
    names = list(load_file(folder / MODEL))
    (folder / MODEL).rename(folder / "unused.safetensors")
    write_json(folder / INDEX, {"metadata": {}, "weight_map": dict.fromkeys(names, target)})
    with pytest.raises(UserError, match=r"index\.json: lists .* in the base's own folder"):
        prefetch(folder)


def test_index_that_names_a_missing_file_is_refused(folder):
    write_json(folder / INDEX, {"weight_map": {NORM: "model-00002-of-00002.safetensors"}})
    with pytest.raises(UserError, match="which is not in the folder"):
        prefetch(folder)


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": []}', "{"])
def test_malformed_index_is_refused(folder, content):
    (folder / INDEX).write_text(content)
    with pytest.raises(UserError, match=INDEX):
        prefetch(folder)


def test_adapter_in_the_base_folder_is_refused(folder):
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": "/elsewhere"})
    with pytest.raises(UserError, match="loading the base would add an adapter to it"):
        prefetch(folder)


@pytest.mark.parametrize(
    "header", [(2**62).to_bytes(8, "little") + b"{}", (90_000_000).to_bytes(8, "little"), b"", b"x"]
)
def test_damaged_weights_are_refused_by_prefetch(folder, header):
    (folder / MODEL).write_bytes(header)
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be read as safetensors"):
        prefetch(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["[]", "[" * 100_000, "{", '"x"', "7"])
def test_malformed_config_is_refused(folder, name, content):
    (folder / name).write_text(content)
    with pytest.raises(UserError, match=name):
        prefetch(folder)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"text_config": {"auto_map": {"AutoConfig": "evil.T"}}}, "auto_map"),
        ({"transformers_weights": "other.safetensors"}, "transformers_weights"),
    ],
)
def test_config_naming_code_or_other_weights_is_refused(folder, keys, words):
    write_json(folder / "config.json", {**read_json(folder / "config.json"), **keys})
    with pytest.raises(UserError, match=words):
        prefetch(folder)


@pytest.mark.parametrize("keys", [{"model_type": "unheard-of"}, {"hidden_size": "x"}, {"num_attention_heads": 0}])
def test_unloadable_config_is_one_error(folder, keys):
    write_json(folder / "config.json", {**read_json(folder / "config.json"), **keys})
    with pytest.raises(UserError, match=r"config\.json: transformers cannot read it \(.*Use a base") as raised:
        prefetch(folder)
    assert "\n" not in str(raised.value)


def test_untied_base_without_output_matrix_is_refused(tmp_path):
    base_path = write_base(tmp_path, "llama", tied=False)
    change_weights(tmp_path / "base", without("lm_head.weight"))
    with pytest.raises(UserError, match=r"they lack lm_head\.weight"):
        load(prefetch(tmp_path / "base"))
    assert json.loads(base_path.read_text())["name"] == "base"
