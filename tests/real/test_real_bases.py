"""Test the bases of `make real-bases`: their weights are those of the GGUF files, and damage to them is noticed."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from babelgrid.errors import UserError
from babelgrid.model import gguf_check
from babelgrid.model.gguf_check import check_conversion, fit_of, sentences
from babelgrid.operations.real_bases import BASES
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parents[2] / "data/bases"


@pytest.fixture(params=[base for base in BASES if base.kind == "gguf"], ids=lambda base: base.name)
def base(request):
    """Return each base, or skip the test if it has not been made."""
    if not (FOLDER / request.param.name / "gguf.json").is_file():
        pytest.skip("needs `make real-bases`")
    return request.param


def test_matrices_are_those_of_the_gguf_file(base):
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(FOLDER / base.file).tensors}
    places = {"model.layers.3.mlp.down_proj.weight": "blk.3.ffn_down.weight"}
    places["model.embed_tokens.weight"] = "token_embd.weight"
    with safe_open(FOLDER / base.name / "model.safetensors", framework="numpy") as file:
        for ours, theirs in places.items():
            tensor = tensors[theirs]
            assert np.array_equal(file.get_tensor(ours), gguf.dequantize(tensor.data, tensor.tensor_type)), ours


def test_sentences_are_predicted_as_recorded(base, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = check_conversion(FOLDER / base.name, FOLDER / base.file, base.sha256)
    assert found["compared_with"].startswith("the recorded value")
    record = read_json(FOLDER / base.name / "gguf.json")
    assert (record["sha256"], record["check"]["by_language"]) == (base.sha256, found["by_language"])


def test_terms_are_beside_the_weights(base):
    assert base.terms in (FOLDER / base.name / "NOTICE").read_text(encoding="utf-8")
    assert list((FOLDER / base.name).glob("LICENSE*"))


def swap_gate_and_up(model):
    for layer in model.model.layers:
        gate, up = layer.mlp.gate_proj.weight.clone(), layer.mlp.up_proj.weight.clone()
        layer.mlp.gate_proj.weight.copy_(up)
        layer.mlp.up_proj.weight.copy_(gate)


def shift_norms(model):
    for name, weight in model.named_parameters():
        if "norm" in name:
            weight.sub_(1)


def shift_vocabulary(model):
    weight = model.get_input_embeddings().weight
    weight.copy_(weight.roll(1, 0))


@pytest.mark.parametrize("damage", [swap_gate_and_up, shift_norms, shift_vocabulary])
@torch.no_grad()
def test_damage_to_all_layers_or_the_vocabulary_exceeds_the_bound(damage):
    folder = FOLDER / "smollm2-135m-instruct"
    if not folder.is_dir():
        pytest.skip("needs `make real-bases`")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    texts = {language: sentences()[language] for language in ("en", "hi", "ko")}
    damage(model)
    fits = {language: fit_of(model, tokenizer, text) for language, text in texts.items()}
    with pytest.raises(UserError, match="its best perplexity on ordinary sentences"):
        gguf_check._compare_with_bound(folder, fits, model.config.vocab_size)
