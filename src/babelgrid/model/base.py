"""The 4-bit base: where it runs, in which numbers, and whether its weights stay in 4 bits."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from babelgrid.config.base import Base
from babelgrid.errors import UserError
from babelgrid.files import read_json

log = logging.getLogger(__name__)

# Beside the weights a job needs room for activations, gradients and the optimizer; 0.5 leaves as much again.
SHARE_OF_MEMORY_FOR_WEIGHTS = 0.5


@dataclass(frozen=True)
class Device:
    """Where a job computes and in which floating-point numbers."""

    name: str
    dtype: torch.dtype


def choose_device() -> Device:
    """Take the GPU in bfloat16 (float16 before Ampere) where there is one, else the CPU in float32."""
    if not torch.cuda.is_available():
        return Device("cpu", torch.float32)
    return Device("cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)


def load_base(base_path: str | Path, settings: Base, device: Device) -> PreTrainedModel:
    """Load the base with its linear layers in NF4 (QLoRA, arXiv 2305.14314) and, where it fits, dequantise them once.

    base_path: the `base.json` that names the local folder.
    The dequantised weights are the very numbers that bitsandbytes would multiply by at every step.
    Raises `UserError` if the folder cannot be loaded, or its outputs are not a plain projection of hidden states.
    """
    model = _load_nf4(read_json(base_path)["folder"], settings, device)
    model.config.use_cache = False
    if _shall_dequantize(settings, model, device):
        # bitsandbytes 0.50 repacks 4-bit weights at a CPU's first evaluation and loses later gradients: never on a CPU.
        model.dequantize(dtype=device.dtype)  # type: ignore[no-untyped-call]
        log.info("base: NF4 weights dequantised once to %s", device.dtype)
    else:
        log.info("base: weights stay in NF4")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    _check_head(model)
    return model


def _load_nf4(folder: str, settings: Base, device: Device) -> PreTrainedModel:
    quantization = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=settings.double_quantization,
        bnb_4bit_compute_dtype=device.dtype,
    )
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder,
            quantization_config=quantization,
            dtype=device.dtype,
            device_map={"": device.name},
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: the base cannot be loaded from here ({error})") from error
    return model


def _shall_dequantize(settings: Base, model: PreTrainedModel, device: Device) -> bool:
    if device.name == "cpu":
        if settings.weights == "nf4":
            raise UserError(
                "base.weights: nf4 needs a GPU (gradients would be wrong on a CPU); use auto or dequantized"
            )
        return True
    if settings.weights != "auto":
        return settings.weights == "dequantized"
    free, _ = torch.cuda.mem_get_info()
    needed = 2 * model.num_parameters()
    return bool(needed < SHARE_OF_MEMORY_FOR_WEIGHTS * free)


def decoder_and_head(model: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Return the body that makes hidden states and the matrix that makes logits, of a base with or without adapter."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    return causal.get_decoder(), causal.get_output_embeddings()


@torch.inference_mode()
def _check_head(model: PreTrainedModel) -> None:
    """Refuse architectures that scale or cap their logits: babelgrid projects hidden states itself."""
    decoder, head = decoder_and_head(model)
    ids = torch.arange(4, device=model.device)[None]
    ours = head(decoder(input_ids=ids, use_cache=False).last_hidden_state)
    theirs = model(input_ids=ids, use_cache=False).logits
    if not torch.allclose(ours.float(), theirs.float(), atol=1e-3, rtol=1e-3):
        raise UserError(
            f"base: {type(model).__name__} changes its logits after the output matrix, which babelgrid does not know. "
            "Take a Llama-, Qwen2- or Mistral-like base"
        )
