"""Every type of decoder trains and scores as plain transformers and peft do on padded prompts, in float32."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, BertConfig, BertLMHeadModel

from babelgrid.base_files import record_base
from babelgrid.config.base import Base
from babelgrid.config.finetune import Lora
from babelgrid.errors import UserError
from babelgrid.model.base import Device, load_base
from babelgrid.model.base_types import judge_base, small_model
from babelgrid.model.examples import Example
from babelgrid.model.forward import answer_logits, causal_model, rows_and_columns, summed_loss
from babelgrid.model.lora import add_adapter
from babelgrid.model.packing import collate
from babelgrid.operations.bases import SHAPE

pytestmark = pytest.mark.slow

CPU = Device("cpu", torch.float32)
GEMMA_3 = {"layer_types": ["sliding_attention"] * 3 + ["full_attention"], "sliding_window": 6}
QWEN_3_5 = {"layer_types": ["linear_attention"] * 3 + ["full_attention"]}
GRANITE = {"embedding_multiplier": 12.0, "attention_multiplier": 0.1, "residual_multiplier": 0.2, "logits_scaling": 4.0}
LFM_2 = {"layer_types": ["conv", "conv", "full_attention", "conv"]}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
# A small Mamba, and chunks shorter than the longest example. With the default sizes, this type takes two minutes.
FALCON_H1 = {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_state": 16, "mamba_chunk_size": 8}
LLAMA_4 = {"intermediate_size_mlp": 128, "num_local_experts": 2, "num_experts_per_tok": 1}
# type: (path, settings beside SHAPE)
TYPES = {
    "llama": ("thin", {}),
    "qwen2": ("thin", {}),
    "qwen3": ("thin", {}),
    "mistral": ("thin", {"sliding_window": None}),
    "ministral": ("thin", {"sliding_window": 6}),
    "seed_oss": ("thin", {}),
    "arcee": ("thin", {}),
    "ernie4_5": ("packed", {}),
    "hunyuan_v1_dense": ("packed", {}),
    "qwen3_moe": ("packed", EXPERTS),
    "gemma2": ("packed", {"sliding_window": 6, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}),
    "gemma3_text": ("packed", GEMMA_3),
    "gemma4_text": ("packed", {"sliding_window": 6}),
    "cohere": ("packed", {}),
    "cohere2": ("packed", {"sliding_window": 6}),
    "olmo2": ("packed", {}),
    "olmo3": ("packed", {"sliding_window": 6}),
    "apertus": ("packed", {}),
    "smollm3": ("packed", {}),
    "phi3": ("packed", {}),
    "ministral3": ("packed", {}),
    "granite": ("packed", GRANITE),
    "glm4": ("packed", {}),
    "exaone4": ("packed", {"sliding_window": 6}),
    "gpt_neox": ("packed", {}),
    "gpt_oss": ("packed", {"sliding_window": 6}),
    "stablelm": ("padded", {}),
    "llama4_text": ("padded", LLAMA_4),
    "qwen3_5_text": ("padded", QWEN_3_5),
    "qwen3_next": ("padded", QWEN_3_5 | EXPERTS),
    "lfm2": ("padded", LFM_2),
    "falcon_h1": ("padded", FALCON_H1),
    "bloom": ("padded", {}),
    "gpt2": ("packed", {}),
}
EXAMPLES = [
    Example((9, 8, 7, 6, 30, 31, 32, 33, 34, 35, 36, 40), 11),
    Example((9, 8, 7, 6, 50, 51, 41), 6),
    Example((9, 8, 7, 6, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 42), 15),
]


def write_base(folder, name, settings):
    """Write a random base of a type and its base.json."""
    config = AutoConfig.for_model(name, **{**SHAPE, **settings})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.save_pretrained(folder / "base")
    record_base(name, None, folder / "base", folder / "base.json", judge_base(folder / "base"))
    return folder / "base.json"


def plain_logits(model):
    """Return the logits at the last inputs, from transformers' own forward pass over prompts padded on the right."""
    width = max(len(example.ids) for example in EXAMPLES) - 1
    rows = [[*example.ids[:-1], *[0] * (width + 1 - len(example.ids))] for example in EXAMPLES]
    mask = [[1] * (len(example.ids) - 1) + [0] * (width + 1 - len(example.ids)) for example in EXAMPLES]
    logits = model(input_ids=torch.tensor(rows), attention_mask=torch.tensor(mask), use_cache=False).logits
    return torch.stack([logits[row, len(example.ids) - 2] for row, example in enumerate(EXAMPLES)])


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


# One type of each kind in `make test`, all others in `make test-grid`.
FIRST = {"llama", "gemma2", "gemma3_text", "gpt_oss", "qwen3_5_text"}
PARAMETERS = [name if name in FIRST else pytest.param(name, marks=pytest.mark.grid) for name in TYPES]


@pytest.mark.parametrize("name", PARAMETERS)
def test_type_equals_padded_transformers_and_peft(tmp_path, name):
    path, settings = TYPES[name]
    base_path = write_base(tmp_path, name, settings)
    assert json.loads(base_path.read_text())["forward"] == path
    torch.manual_seed(1)
    model = add_adapter(load_base(base_path, Base(folder="x"), CPU), Lora(rank=2, dropout=0.0))
    for weight_name, weight in model.named_parameters():
        if "lora_B" in weight_name:
            torch.nn.init.normal_(weight, std=0.1)
    causal = causal_model(model.eval())
    assert causal.forward_path == path
    batch = collate(EXAMPLES)
    ours, our_gradient = answer_logits(model, batch), gradient(model, summed_loss(model, batch))
    causal.set_attn_implementation("eager")
    theirs = plain_logits(model)
    order = rows_and_columns(batch)[0]
    loss = torch.nn.functional.cross_entropy(theirs[order], batch["targets"], reduction="sum")
    their_gradient = gradient(model, loss)
    assert (ours.log_softmax(-1) - theirs[order].log_softmax(-1)).abs().max() < 1e-4
    assert (our_gradient - their_gradient).norm() < 1e-4 * their_gradient.norm()
    assert theirs.std() > 0.01


def test_path_is_found_from_the_configuration_of_a_large_model(tmp_path):
    AutoConfig.for_model("gemma2", num_hidden_layers=46, hidden_size=4608, vocab_size=256_000).save_pretrained(tmp_path)
    assert judge_base(tmp_path) == "packed"
    assert sum(weight.numel() for weight in small_model(AutoConfig.from_pretrained(tmp_path)).parameters()) < 1e6


def test_encoder_is_refused_with_the_reason(tmp_path):
    config = BertConfig(
        vocab_size=128, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertLMHeadModel(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"BertLMHeadModel.*depends on the tokens after it.*Use a decoder"):
        judge_base(tmp_path)


def test_type_that_is_no_language_model_is_refused(tmp_path):
    AutoConfig.for_model("t5").save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"'t5' is not a causal language model"):
        judge_base(tmp_path)
