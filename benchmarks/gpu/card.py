"""Define the shapes of bases for the GPU scripts, and measure time and memory on a card."""

import gc
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import LlamaConfig

from babelgrid.model.base import choose_device, name_of
from benchmarks.process import peak_memory, reset_peak_memory
from benchmarks.questions import lab_shape

LLAMA_3B = LlamaConfig(
    vocab_size=128_256,
    hidden_size=3072,
    intermediate_size=8192,
    num_hidden_layers=28,
    num_attention_heads=24,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=8192,
    rope_theta=500_000.0,
    tie_word_embeddings=True,
    bos_token_id=0,
    eos_token_id=1,
    pad_token_id=2,
)
"""The published config.json of Llama-3.2-3B, without RoPE scaling for long contexts, which has no cost."""
SHAPES = {"Llama-3.2-3B": LLAMA_3B, "tiny": lab_shape(1024)}


def has_card() -> bool:
    """Return whether the scripts run on CUDA."""
    return choose_device().name == "cuda"


def description() -> dict[str, Any]:
    """Return what the packages' versions do not tell: the device, torch's build, and the version of cuDNN."""
    return {
        "device": name_of(choose_device()),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version() if has_card() else None,
    }


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the wall seconds of some work, until the device has finished it, and its result."""
    _wait()
    start = time.perf_counter()
    result = work()
    _wait()
    return time.perf_counter() - start, result


def launched(work: Callable[[], Any]) -> tuple[float, float, float]:
    """Return seconds of some work: wall until the device has finished it, wall and CPU until all is launched.

    A process that waits for the device uses CPU time as well, so CPU time is read before the wait.
    """
    _wait()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    launch, host = time.perf_counter() - wall, time.process_time() - cpu
    _wait()
    return time.perf_counter() - wall, launch, host


def _wait() -> None:
    if has_card():
        torch.cuda.synchronize()


def reset_peak() -> None:
    """Release what earlier work has left behind, and reset the record of peak memory."""
    gc.collect()
    if has_card():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    else:
        reset_peak_memory()


def peak_gib() -> float:
    """Return the peak memory reserved on the GPU, or the peak resident memory of the process without a GPU."""
    return torch.cuda.max_memory_reserved() / 2**30 if has_card() else peak_memory() / 2**10
