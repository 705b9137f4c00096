"""Compare the forward paths with a plain padded loop: loss and gradients of the same batches, in CPU-seconds.

Run `OMP_NUM_THREADS=1 python -m benchmarks.paths`. Bases are random: 4 layers of width 256 and 8,192 tokens. A batch
has 16 prompts of 30 to 60 tokens that share their first 20. The plain loop pads on the right and passes labels to the
model.
"""

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from babelgrid.model.examples import Example
from babelgrid.model.forward import causal_model, summed_loss
from babelgrid.model.forward_path import choose_path
from babelgrid.model.packing import collate
from benchmarks.measure import write_result

LAYERS = ["linear_attention", "linear_attention", "linear_attention", "full_attention"]
TYPES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gemma3_text": {"head_dim": 64},
    "lfm2": {"layer_types": ["conv", "conv", "full_attention", "conv"]},
    "qwen3_5_text": {"layer_types": LAYERS, "head_dim": 64},
    "bloom": {"n_head": 4, "n_layer": 4},
}
SHAPE = {
    "vocab_size": 8192,
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def main() -> None:
    """Measure each type in turn and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    records = []
    for name, settings in TYPES.items():
        records.append({"type": name, **measure(name, settings, rounds)})
        print(records[-1], flush=True)
    print(write_result("paths", {"rounds": rounds, "types": records}))


def measure(name: str, settings: dict[str, Any], rounds: int) -> dict[str, object]:
    """Return the path and the ratio of CPU-seconds, path / plain loop: median, minimum and maximum over rounds."""
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **{**SHAPE, **settings})).eval()
    choose_path(base, name)
    model = get_peft_model(base, LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    path = causal_model(model).forward_path
    attention = base.config._attn_implementation
    ratios = []
    for each in range(rounds + 1):
        examples = draw(each)
        base.set_attn_implementation(attention)
        ours = seconds(model, lambda some=examples: summed_loss(model, collate(some)))
        base.set_attn_implementation("sdpa" if base._supports_sdpa else "eager")
        plain = seconds(model, lambda some=examples: plain_loss(model, some))
        ratios.append(ours / plain)
    kept = ratios[1:]  # the first round warms up
    return {
        "path": path,
        "ratio": round(statistics.median(kept), 2),
        "low": round(min(kept), 2),
        "high": round(max(kept), 2),
    }


def draw(seed: int) -> list[Example]:
    """Return 16 prompts of random tokens that share their first 20."""
    generator = np.random.default_rng(seed)
    prefix = generator.integers(3, 8192, 20).tolist()
    lengths = generator.integers(10, 41, 16)
    own = [generator.integers(3, 8192, length).tolist() for length in lengths]
    return [Example((*prefix, *ids, 7), 20 + len(ids)) for ids in own]


def plain_loss(model: Any, examples: list[Example]) -> torch.Tensor:
    """Return the mean loss of transformers' own forward pass over padded prompts."""
    width = max(len(example.ids) for example in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        mask[row, : len(example.ids)] = 1
        labels[row, example.first_target : len(example.ids)] = torch.tensor(example.ids[example.first_target :])
    loss: torch.Tensor = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
    return loss


def seconds(model: Any, loss: Any) -> float:
    """Return the CPU-seconds of a forward and a backward pass."""
    model.zero_grad(set_to_none=True)
    start = time.process_time()
    loss().backward()
    return time.process_time() - start


if __name__ == "__main__":
    main()
