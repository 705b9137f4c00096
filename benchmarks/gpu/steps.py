"""Take training steps apart on one GPU, at the shapes of Llama-3.2-3B: attention, steps, kernels, memory, scoring.

    python -m benchmarks.gpu.steps                  on a CUDA card; weights are random, nothing is downloaded
    python -m benchmarks.gpu.steps --shape tiny     in miniature, on any device

Each result is one line of JSON, and is written to benchmarks/results/gpu_steps.json at once (not with --shape tiny).
Prompts are random tokens: 30 shared by all, 30 to 80 of a post, 35 of the rest of the template.
"""

import argparse
import gc
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaConfig

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Lora, Predict
from babelgrid.model.base import choose_device, load_base
from babelgrid.model.examples import Example
from babelgrid.model.forward import summed_loss
from babelgrid.model.lora import add_adapter
from babelgrid.model.packing import collate, to_device
from babelgrid.model.score import label_log_probabilities
from babelgrid.model.trainer import build_trainer, training_arguments
from benchmarks.gpu.card import SHAPES, description, has_card, launched, peak_gib, reset_peak, seconds
from benchmarks.measure import Record
from benchmarks.questions import lab_texts, write_random_base
from benchmarks.training.clock import Clock

BEFORE, AFTER = 30, 35
"""Tokens of the template before and after the post."""
ADAPTERS = {"study": Lora(rank=64, alpha=32, dropout=0.1, targets=["q_proj", "v_proj"]), "default": Lora()}
BACKENDS: dict[str, SDPBackend | None] = {
    "as it comes": None,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
    "flash, causal_lower_right": SDPBackend.FLASH_ATTENTION,
}
KERNELS_SHOWN = 12
Loss = Literal["label", "all"]


@dataclass(frozen=True)
class Size:
    """Numbers of posts and steps."""

    batch: int
    steps: int
    scored: int


SIZES = {"Llama-3.2-3B": Size(batch=16, steps=14, scored=1000), "tiny": Size(batch=4, steps=3, scored=8)}


def main() -> None:
    """Measure everything, from attention to scoring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shape", choices=list(SHAPES), default="Llama-3.2-3B")
    shape = parser.parse_args().shape
    if shape != "tiny" and not has_card():
        parser.error(f"{shape} needs an NVIDIA GPU; --shape tiny runs on any device")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    size = SIZES[shape]
    record = Record(None if shape == "tiny" else "gpu_steps", shape=shape, card=description())
    for row in attention(SHAPES[shape], size.batch):
        record.add(row)
    with tempfile.TemporaryDirectory() as folder:
        base_path = write_random_base(Path(folder), SHAPES[shape], lab_texts(Path(folder), 4))
        for row in steps_and_scoring(base_path, size):
            record.add(row)


def attention(shape: LlamaConfig, rows: int) -> Iterator[dict[str, Any]]:
    """Yield the time of forward and backward for each backend: first and later calls of three new widths.

    Widths differ between backends, because cuDNN keeps its plans for a shape.
    """
    for number, (name, backend) in enumerate(BACKENDS.items()):
        for width in range(101 + number, 101 + 3 * len(BACKENDS), len(BACKENDS)):
            about = {"what": "attention", "backend": name, "width": width}
            context = nullcontext() if backend is None else sdpa_kernel(backend)
            try:
                times = _calls(shape, rows, width, context, lower_right="lower_right" in name)
            except RuntimeError as error:  # PyTorch has no kernel for this backend on this device
                yield {**about, "error": str(error)[:100]}
            else:
                yield {**about, "first_ms": 1e3 * times[0], "later_ms": 1e3 * min(times[1:])}


def _calls(
    shape: LlamaConfig, rows: int, width: int, context: AbstractContextManager[None], lower_right: bool
) -> list[float]:
    """Return the seconds of four calls: own tokens [rows, heads, width] over a prefix and own tokens."""
    device = choose_device()
    head = shape.hidden_size // shape.num_attention_heads
    heads = (shape.num_attention_heads, shape.num_key_value_heads, shape.num_key_value_heads)
    lengths = (width, BEFORE + width, BEFORE + width)
    query, key, value = (
        torch.randn(rows, count, length, head, device=device.name, dtype=device.dtype, requires_grad=True)
        for count, length in zip(heads, lengths, strict=True)
    )
    mask: torch.Tensor = torch.ones(width, BEFORE + width, dtype=torch.bool, device=device.name).tril(BEFORE)
    if lower_right:
        mask = causal_lower_right(width, BEFORE + width)

    def call() -> None:
        grouped = heads[0] != heads[1]
        scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=grouped).sum().backward()

    with context:
        return [seconds(call)[0] for _ in range(4)]


def steps_and_scoring(base_path: Path, size: Size) -> Iterator[dict[str, Any]]:
    """Yield the rows of both adapters, on weights dequantised once and, on CUDA, on NF4."""
    for weights in ("dequantized", "nf4") if has_card() else ("dequantized",):
        base = load_base(base_path, Base(folder="named in base.json", weights=weights), choose_device())
        for name, lora in ADAPTERS.items():
            model: Any = add_adapter(base, lora)
            about = {"adapter": name, "rank": lora.rank, "targets": lora.targets, "weights": weights}
            for loss in ("label", "all"):
                yield {"what": "step", **about, "loss": loss, **take_apart(model, loss, size)}
            for turn in ("first", "second"):
                yield {"what": "score", **about, "turn": turn, **score(model, size.scored)}
            base = model.unload()
        del base, model
        gc.collect()


def draw(count: int, loss: Loss, vocabulary: int) -> list[Example]:
    """Return examples of random tokens, the same for both losses."""
    generator = torch.Generator().manual_seed(0)
    before, after = range(3, 3 + BEFORE), range(3, 3 + AFTER)
    examples = []
    for own in torch.randint(30, 81, (count,), generator=generator).tolist():
        post = torch.randint(100, min(vocabulary, 1000), (own,), generator=generator).tolist()
        ids = (*before, *post, *after, 7)
        examples.append(Example(ids, len(ids) - 1 if loss == "label" else 1))
    return examples


def take_apart(model: Any, loss: Loss, size: Size) -> dict[str, Any]:
    """Return times and memory of the trainer's steps, then the times and kernels of one batch again and again."""
    examples = draw(size.batch * size.steps, loss, model.config.vocab_size)
    reset_peak()
    row = {"tokens": sum(len(example.ids) - 1 for example in examples) // size.steps, **trained(model, examples, size)}
    batch = to_device(collate(examples[: size.batch]), model.device)
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def forward_and_backward() -> None:
        (summed_loss(model, batch) / size.batch).backward()
        for weight in weights:
            weight.grad = None

    model.train()
    forward_and_backward()
    row |= repeated(forward_and_backward)
    allocated = torch.cuda.max_memory_allocated() / 2**30 if has_card() else None
    return row | kernels(forward_and_backward) | {"allocated_gib": allocated, "peak_gib": peak_gib()}


def trained(model: Any, examples: Sequence[Example], size: Size) -> dict[str, Any]:
    """Return the wall time of each of the trainer's steps; batches have different shapes, as in a job."""
    settings = Finetune(epochs=1, batch_size=size.batch)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(model, list(examples), training_arguments(settings, choose_device(), 0, Path(folder)))
        clock = Clock()
        trainer.add_callback(clock)
        start = time.perf_counter()
        trainer.train()
    ends = [wall for wall, _ in clock.times]
    walls = [round(1e3 * (end - begin), 1) for begin, end in itertools.pairwise(ends)]
    return {"first_s": ends[0] - start, "walls_ms": walls}


def repeated(work: Callable[[], None], times: int = 5) -> dict[str, float]:
    """Return milliseconds of one of several repeats: wall, and wall and CPU until the host has launched all kernels.

    A host that needs almost as long as the wall to launch the kernels keeps the GPU waiting.
    """
    wall, launch, host = launched(lambda: [work() for _ in range(times)])
    return {"same_shape_ms": 1e3 * wall / times, "launch_ms": 1e3 * launch / times, "host_ms": 1e3 * host / times}


def kernels(work: Callable[[], None]) -> dict[str, Any]:
    """Return the number of kernels (and copies) of some work, their time on the GPU, and the longest ones."""
    if not has_card():
        return {"kernels": None, "gpu_ms": None, "longest": []}
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        seconds(work)
    # Operators have a time on the device too, that of their kernels, which would count twice.
    found = [event for event in profiler.key_averages() if event.device_type == DeviceType.CUDA]
    found.sort(key=lambda event: -event.self_device_time_total)
    return {
        "kernels": sum(event.count for event in found),
        "gpu_ms": sum(event.self_device_time_total for event in found) / 1e3,
        "longest": [
            f"{event.self_device_time_total / 1e3:.2f} ms, {event.count} x {event.key[:60]}"
            for event in found[:KERNELS_SHOWN]
        ],
    }


def score(model: Any, count: int) -> dict[str, float]:
    """Return posts and tokens per second of scoring with an adapter that is not merged into the base."""
    prompts = [example.ids[:-1] for example in draw(count, "label", model.config.vocab_size)]
    paths = {str(token): (token,) for token in (4, 5, 6, 7)}
    model.eval()
    wall, _ = seconds(lambda: label_log_probabilities(model, prompts, paths, Predict().tokens_per_batch))
    return {"posts_per_s": len(prompts) / wall, "tokens_per_s": sum(map(len, prompts)) / wall}


if __name__ == "__main__":
    main()
