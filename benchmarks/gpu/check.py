"""Check a GPU's numbers: log-probabilities and LoRA gradients of a small random base, against float32 on a CPU.

    python -m benchmarks.gpu.check                  on a CUDA card
    python -m benchmarks.gpu.check --shape tiny     in miniature, on any device (bfloat16, if it is a CPU)

Each comparison is one line of JSON. Writes benchmarks/results/gpu_check.json (not with --shape tiny). Exits with 1 if
the numbers differ by more than the rounding of 16 bits.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from babelgrid.base_files import record_base
from babelgrid.config.base import Base
from babelgrid.config.finetune import Lora
from babelgrid.model.base import Device, choose_device, load_base
from babelgrid.model.examples import Example
from babelgrid.model.forward import answer_logits, summed_loss
from babelgrid.model.lora import add_adapter
from babelgrid.model.packing import Batch, collate, to_device
from benchmarks.gpu.card import description
from benchmarks.measure import Record

SHAPES = {
    "small": LlamaConfig(
        vocab_size=4096,
        hidden_size=512,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=64,
        initializer_range=0.05,
    ),
    "tiny": LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        initializer_range=0.15,
    ),
}
LARGEST_ERROR = 0.02
"""Distance of the log-probabilities, relative to the norm of the others."""
SMALLEST_COSINE = 0.99
"""Cosine of the gradients of all of the adapter's weights."""
Weights = Literal["auto", "nf4", "dequantized"]
Numbers = tuple[torch.Tensor, torch.Tensor]
"""Log-probabilities [N, vocabulary] and the gradient of the adapter [weights], in float32 on the CPU."""


def main() -> int:
    """Compare for both losses, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shape", choices=list(SHAPES), default="small")
    shape = parser.parse_args().shape
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    limits = {"largest_error": LARGEST_ERROR, "smallest_cosine": SMALLEST_COSINE}
    record = Record(None if shape == "tiny" else "gpu_check", shape=shape, card=description(), limits=limits)
    device = choose_device(Base(folder="named in base.json", cpu_dtype="bfloat16"))
    with tempfile.TemporaryDirectory() as folder:
        base_path = write_base(Path(folder), SHAPES[shape])
        for loss in ("label", "all"):
            check(base_path, draw(loss, SHAPES[shape].vocab_size), device, loss, record)
    return 0 if all(row["ok"] for row in record.rows) else 1


def write_base(folder: Path, shape: LlamaConfig) -> Path:
    """Write a random base in bfloat16, which NF4 rounds alike on all devices; return the path of base.json."""
    set_seed(0)
    LlamaForCausalLM(shape).bfloat16().save_pretrained(folder / "base")
    record_base("random", None, folder / "base", folder / "base.json")
    return folder / "base.json"


def draw(loss: str, vocabulary: int) -> Batch:
    """Return four examples of random tokens, which share their first five."""
    generator = torch.Generator().manual_seed(1)
    examples = []
    for own in (9, 31, 17, 24):
        ids = (5, 6, 7, 8, 9, *torch.randint(10, vocabulary, (own,), generator=generator).tolist(), 3, 4)
        examples.append(Example(ids, len(ids) - 1 if loss == "label" else 1))
    return collate(examples)


def check(base_path: Path, batch: Batch, device: Device, loss: str, record: Record) -> None:
    """Record the comparisons of a device with the CPU, and of NF4 weights kept with those dequantised once."""
    exact = numbers(base_path, batch, Device("cpu", torch.float32), "auto")
    found = {"dequantized": numbers(base_path, batch, device, "dequantized")}
    if device.name == "cuda":
        found["nf4"] = numbers(base_path, batch, device, "nf4")
    for weights, ours in found.items():
        record.add({"loss": loss, "weights": weights, "against": "float32 on a CPU", **compare(ours, exact)})
    if "nf4" in found:
        row = compare(found["nf4"], found["dequantized"])
        record.add({"loss": loss, "weights": "nf4", "against": "dequantized", **row})


def numbers(base_path: Path, batch: Batch, device: Device, weights: Weights) -> Numbers:
    """Return the numbers of a batch, with an adapter whose weights are drawn on the CPU."""
    base = load_base(base_path, Base(folder="named in base.json", weights=weights), device)
    model = add_adapter(base, Lora(dropout=0.0)).train()
    generator = torch.Generator().manual_seed(2)
    adapter = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in adapter:
        weight.data.copy_(0.02 * torch.randn(weight.shape, generator=generator))
    batch = to_device(batch, model.device)
    summed_loss(model, batch).backward()
    gradient = torch.cat([weight.grad.flatten().float().cpu() for weight in adapter])
    with torch.inference_mode():
        logits = answer_logits(model.eval(), batch)
    return logits.float().log_softmax(-1).cpu(), gradient


def compare(ours: Numbers, others: Numbers) -> dict[str, Any]:
    """Return the relative distances, the cosine of the gradients, and whether they are within the limits."""
    [error, of_gradient] = [float((one - other).norm() / other.norm()) for one, other in zip(ours, others, strict=True)]
    cosine = float(torch.cosine_similarity(ours[1], others[1], dim=0))
    ok = error < LARGEST_ERROR and cosine > SMALLEST_COSINE
    return {"log_probabilities": error, "gradient": of_gradient, "cosine": cosine, "ok": ok}


if __name__ == "__main__":
    sys.exit(main())
