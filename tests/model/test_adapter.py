"""Adapters load completely onto their own base, with the same scores as in peft, or raise a specific error."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from babelgrid.base_files import record_base
from babelgrid.config.finetune import Lora
from babelgrid.errors import UserError
from babelgrid.model import hub
from babelgrid.model.adapter import add_trained_adapter
from babelgrid.model.adapter_config import BASE_WEIGHTS
from babelgrid.model.base import Device, load_base
from babelgrid.model.predict import load_adapted
from babelgrid.model.score import label_log_probabilities
from babelgrid.runtime.files import read_json, write_json
from bases import write_base
from training import BASE, SETTINGS, train, write_posts

CPU = Device("cpu", torch.float32)
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PROMPTS = [[0, 30, 40, 50], [0, 7, 8, 9, 300, 11], [0, 61]]
PATHS = {"pro": (60,), "anti": (61,), "other": (400,)}


def scores(model):
    return label_log_probabilities(model, PROMPTS, PATHS, tokens_per_batch=64)


def peft_scores(base_path, adapter):
    """Return the scores that peft computes without merging."""
    model = PeftModel.from_pretrained(load_base(base_path, BASE, CPU), adapter).eval()
    with torch.inference_mode():
        rows = [model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].log_softmax(-1) for ids in PROMPTS]
    return torch.stack(rows)[:, [path[0] for path in PATHS.values()]].double().numpy()


def write_adapter(base_path, folder, **config):
    """Write an adapter as peft does, with random weights that change the outputs; return its folder."""
    torch.manual_seed(3)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"], **config}
    model = get_peft_model(load_base(base_path, BASE, CPU), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.1)
            elif weight.requires_grad:
                weight.mul_(1 + 0.3 * torch.rand_like(weight))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def base_path(random_base):
    return random_base()


@pytest.fixture(scope="module")
def whole(base_path, tmp_path_factory):
    return write_adapter(base_path, tmp_path_factory.mktemp("whole") / "adapter")


@pytest.fixture
def adapter(whole, tmp_path):
    """Return a copy of the adapter that a test may modify."""
    return Path(shutil.copytree(whole, tmp_path / "adapter"))


def change_config(adapter, **keys):
    write_json(adapter / CONFIG, {**read_json(adapter / CONFIG), **keys})


def change_weights(adapter, change):
    save_file(change(load_file(adapter / WEIGHTS)), adapter / WEIGHTS, metadata={"format": "pt"})


@pytest.mark.slow
def test_adapter_scores_equal_peft(base_path, whole):
    np.testing.assert_allclose(
        scores(load_adapted(base_path, whole, BASE, CPU)), peft_scores(base_path, whole), atol=1e-4
    )


@pytest.fixture(scope="module")
def untuned(base_path):
    return load_base(base_path, BASE, CPU)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_incomplete_or_renamed_tensors_are_refused(base_path, whole, untuned, tmp_path_factory, data):
    tensors = load_file(whole / WEIGHTS)
    names = sorted(tensors)
    kept = data.draw(st.one_of(st.just(names), st.lists(st.sampled_from(names), unique=True)))
    renamed = data.draw(st.one_of(st.just([]), st.lists(st.sampled_from(kept), unique=True))) if kept else []
    change = data.draw(
        st.sampled_from([(".layers.", ".blocks."), ("model.model.", "model.model.language_model."), ("lora_", "loha_")])
    )
    content = {name.replace(*change) if name in renamed else name: tensors[name] for name in kept}
    folder = tmp_path_factory.mktemp("some")
    shutil.copy(whole / CONFIG, folder)
    save_file(content, folder / WEIGHTS, metadata={"format": "pt"})
    if content.keys() == tensors.keys():
        model = add_trained_adapter(copy.deepcopy(untuned), folder, base_path)
        np.testing.assert_allclose(scores(model), peft_scores(base_path, folder), atol=1e-4)
    else:
        with pytest.raises(UserError, match=r"tensors are unexpected|tensors are missing"):
            add_trained_adapter(copy.deepcopy(untuned), folder, base_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"peft_type": None}, "peft_type: "),
        ({"peft_type": "IA3"}, "peft_type: "),
        ({"task_type": "SEQ_CLS"}, "task_type: "),
        ({"task_type": None}, "task_type: "),
        ({"target_modules": ["q_proj"]}, "tensors are unexpected: .*down_proj"),
        ({"target_modules": ["q_proj", "down_proj", "v_proj"]}, "tensors are missing: .*v_proj"),
        ({"target_modules": []}, "does not fit the base"),
        ({"target_modules": 7}, "target_modules"),
        ({"target_modules": "(q_proj"}, "configuration does not fit the base"),
        ({"exclude_modules": ["q_proj"]}, "tensors are unexpected"),
        ({"layers_to_transform": [0]}, r"tensors are unexpected: .*layers\.1"),
        ({"r": 8}, "wrong shape"),
        ({"r": 0}, "r: "),
        ({"r": True}, "r: "),
        ({"rank_pattern": {"q_proj": 2}}, r"wrong shape: .*\(4, 64\) \(expected \(2, 64\)\)"),
        ({"rank_pattern": {"k_proj": 2}}, "name layers that are not adapted: k_proj"),
        ({"alpha_pattern": {"layers.9.q_proj": 2}}, "name layers that are not adapted"),
        ({"lora_alpha": float("nan")}, "lora_alpha: "),
        ({"lora_alpha": float("inf")}, "lora_alpha: "),
        ({"lora_alpha": 0}, "lora_alpha: "),
        ({"lora_alpha": 10**60}, "not finite"),
        ({"use_dora": True}, "tensors are missing: .*lora_magnitude_vector"),
        ({"modules_to_save": ["lm_head"]}, r"tensors are missing: .*lm_head\.weight"),
        ({"bias": "some"}, "bias: "),
        ({"fan_in_fan_out": True}, "fan_in_fan_out is true"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "layer_replication is"),
        ({"megatron_config": {"a": 1}, "megatron_core": "this"}, "megatron_config is"),
        ({"trainable_token_indices": [1, 2]}, "trainable_token_indices is"),
        ({"alora_invocation_tokens": [5]}, "alora_invocation_tokens is"),
        ({"a_key_of_a_later_peft": 3}, "a_key_of_a_later_peft is 3"),
        ({"base_model_name_or_path": "meta-llama/Llama-3.2-3B"}, "was trained on the base 'meta-llama/Llama-3.2-3B'"),
        ({"base_model_name_or_path": None}, "base_model_name_or_path: "),
        ({"base_model_name_or_path": ""}, "base_model_name_or_path: "),
    ],
)
def test_unsuitable_configuration_is_one_error(base_path, adapter, keys, words):
    change_config(adapter, **keys)
    with pytest.raises(UserError, match=words):
        load_adapted(base_path, adapter, BASE, CPU)


@pytest.mark.parametrize("key", ["peft_type", "task_type", "r", "lora_alpha", "base_model_name_or_path"])
def test_missing_configuration_key_is_named(base_path, adapter, key):
    content = read_json(adapter / CONFIG)
    del content[key]
    write_json(adapter / CONFIG, content)
    with pytest.raises(UserError, match=f"{key}: Field required"):
        load_adapted(base_path, adapter, BASE, CPU)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '"x"'])
def test_malformed_configuration_is_one_error(base_path, adapter, content):
    (adapter / CONFIG).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=CONFIG):
        load_adapted(base_path, adapter, BASE, CPU)


def test_unset_keys_of_other_peft_versions_are_ignored(base_path, whole, adapter):
    change_config(
        adapter,
        a_key_of_a_later_peft=None,
        another={},
        auto_mapping={"base_model_class": "Evil", "parent_library": "this"},
        eva_config={"rho": 2.0},
    )
    assert np.array_equal(*(scores(load_adapted(base_path, folder, BASE, CPU)) for folder in (whole, adapter)))


def broken(value, dtype=torch.float32):
    def change(tensors):
        name = next(name for name in tensors if "down_proj.lora_B" in name)
        tensor = tensors[name].to(dtype)
        tensor[1, 1] = value
        return {**tensors, name: tensor}

    return change


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_non_finite_adapter_weight_is_refused(base_path, adapter, value):
    change_weights(adapter, broken(value))
    with pytest.raises(UserError, match=r"1 tensors contain numbers that are not finite.*down_proj\.lora_B"):
        load_adapted(base_path, adapter, BASE, CPU)


def test_integer_weights_are_refused(base_path, adapter):
    change_weights(adapter, broken(1, torch.int32))
    with pytest.raises(UserError, match="not finite"):
        load_adapted(base_path, adapter, BASE, CPU)


def test_additional_tensor_is_refused(base_path, adapter):
    change_weights(adapter, lambda tensors: {**tensors, "prompt_embeddings": torch.zeros(8, 64)})
    with pytest.raises(UserError, match="1 tensors are unexpected: prompt_embeddings"):
        load_adapted(base_path, adapter, BASE, CPU)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {r"layers\.1\.mlp\.down_proj": 32}},
        {"layers_to_transform": [1]},
        {"target_modules": r".*\.0\..*(q|o)_proj"},
        {"modules_to_save": ["lm_head"]},
        {"modules_to_save": ["embed_tokens", "norm"]},
        {"target_modules": ["q_proj", "lm_head"]},
        {"target_modules": ["embed_tokens", "v_proj"]},
        {"target_modules": ["embed_tokens", "lm_head"]},
        {"target_modules": ["lm_head"], "use_dora": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_each_kind_of_adapter_scores_as_in_peft(bases_of_both_kinds, tmp_path, config, tied):
    base_path = bases_of_both_kinds[tied]
    folder = write_adapter(base_path, tmp_path / "adapter", **config)
    merged = scores(load_adapted(base_path, folder, BASE, CPU))
    expected = peft_scores(base_path, folder)
    np.testing.assert_allclose(merged, expected, atol=2e-3)
    assert np.abs(expected - scores(load_base(base_path, BASE, CPU))).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_adapter_biases_are_loaded(random_base, tmp_path, bias):
    base_path = random_base("qwen2")
    folder = write_adapter(base_path, tmp_path / "adapter", bias=bias)
    assert any(name.endswith("bias") for name in load_file(folder / WEIGHTS))
    merged = scores(load_adapted(base_path, folder, BASE, CPU))
    np.testing.assert_allclose(merged, peft_scores(base_path, folder), atol=1e-3)
    change_weights(folder, lambda tensors: {n: t for n, t in tensors.items() if "layers.1.self_attn.q_proj" not in n})
    with pytest.raises(UserError, match=r"tensors are missing: .*layers\.1\.self_attn\.q_proj"):
        load_adapted(base_path, folder, BASE, CPU)


@pytest.fixture(scope="module")
def bases_of_both_kinds(tmp_path_factory):
    return {tied: write_base(tmp_path_factory.mktemp(f"tied-{tied}"), "llama", tied=tied) for tied in (True, False)}


def test_changed_base_matrices_in_an_adapter_are_refused(bases_of_both_kinds, tmp_path):
    base_path = bases_of_both_kinds[True]
    folder = write_adapter(base_path, tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    saved = load_file(folder / WEIGHTS)
    copies = [name for name in saved if "lora" not in name]
    assert copies  # peft saves the base's own matrices along with an adapter of the output matrix
    change_weights(folder, lambda tensors: {n: t * 2 if n in copies else t for n, t in tensors.items()})
    with pytest.raises(UserError, match="tensors are unexpected"):
        load_adapted(base_path, folder, BASE, CPU)


@pytest.mark.slow
def test_adapter_of_tied_output_matrix_saves_no_base_weights(base_path, tmp_path):
    posts = write_posts(tmp_path)
    settings = SETTINGS.model_copy(update={"lora": Lora(rank=4, targets=["q_proj", "lm_head"]), "learning_rate": 0.05})
    folder = train(posts, base_path, tmp_path / "adapter", settings)
    assert all("lora_" in name for name in load_file(folder / WEIGHTS))
    model = load_adapted(base_path, folder, BASE, CPU)
    np.testing.assert_allclose(scores(model), peft_scores(base_path, folder), atol=1e-3)
    assert model.config.tie_word_embeddings is False
    assert model.get_output_embeddings().weight is not model.get_input_embeddings().weight


@pytest.fixture(scope="module")
def trained(base_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return train(write_posts(folder), base_path, folder / "adapter")


def named_base(base_path, out, name, revision=None):
    record_base(name, revision, Path(read_json(base_path)["folder"]), out)
    return out


@pytest.mark.slow
def test_adapter_is_tied_to_its_base_by_weights_digest(trained, base_path, bases_of_both_kinds, tmp_path):
    with safe_open(trained / WEIGHTS, framework="pt") as file:
        assert len(file.metadata()[BASE_WEIGHTS]) == 64
    assert load_adapted(base_path, trained, BASE, CPU) is not None
    other = named_base(bases_of_both_kinds[False], tmp_path / "base.json", "random llama")
    with pytest.raises(UserError, match="different base that is also called 'random llama'"):
        load_adapted(other, trained, BASE, CPU)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "adapter_says", "fits"),
    [
        (("org/model", "1" * 40), ("org/model", None), True),
        (("org/model", "1" * 40), ("Org/Model", "main"), True),
        (("org/model", "1" * 40), ("org/model", "1" * 40), True),
        (("org/model", "1" * 40), ("org/model", "2" * 40), False),
        (("org/model", "1" * 40), ("elsewhere/model", None), False),
        (("org/model", "1" * 40), ("/data/models/model/", None), True),
        (("org/model", "1" * 40), ("/data/models/model-chat", None), False),
        (("base", None), ("FOLDER", None), True),
        (("base", None), ("/elsewhere/base", None), True),
        (("base", None), ("org/base", "1" * 40), True),
        (("base", None), ("lab", None), False),
        (("lab", None), ("lab", None), True),
    ],
)
def test_adapter_of_another_base_is_refused(base_path, adapter, tmp_path, base, adapter_says, fits):
    path = named_base(base_path, tmp_path / "base.json", *base)
    name = read_json(path)["folder"] if adapter_says[0] == "FOLDER" else adapter_says[0]
    change_config(adapter, base_model_name_or_path=name, revision=adapter_says[1])
    if fits:
        assert load_adapted(path, adapter, BASE, CPU) is not None
        return
    with pytest.raises(UserError, match=r"was trained on the base .* but the base in use is"):
        load_adapted(path, adapter, BASE, CPU)


def test_adapter_from_the_hub_is_checked_on_download(adapter, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "_download", lambda *_: adapter)
    hub.prefetch_adapter("someone/adapter", "0" * 40, tmp_path / "good")
    assert sorted(path.name for path in (tmp_path / "good").iterdir()) == [CONFIG, WEIGHTS]
    (adapter / CONFIG).write_text(json.dumps({"peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM"}))
    with pytest.raises(UserError, match="peft_type: "):
        hub.prefetch_adapter("someone/adapter", "0" * 40, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()
