"""The 4-bit base: where it runs, in which numbers, and whether its weights stay in 4 bits."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from babelgrid.base_files import base_folder
from babelgrid.config.base import Base
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.attention import ATTENTION
from babelgrid.model.examples import Example
from babelgrid.model.forward import answer_logits
from babelgrid.model.packing import collate, to_device
from babelgrid.runtime.usage import Usage

log = logging.getLogger(__name__)

NAMES_SHOWN = 3
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


def describe_device(device: Device) -> str:
    """Return all of a device that may change a result by rounding: its kind, numbers, model or number of threads."""
    on = f"{torch.get_num_threads()} threads" if device.name == "cpu" else torch.cuda.get_device_name()
    return f"{device.name} {device.dtype}, {on}"


def name_of(device: Device) -> str:
    """Return a device's name for people, such as `NVIDIA A100-SXM4-80GB` or `CPU, threads: 1`."""
    return torch.cuda.get_device_name() if device.name == "cuda" else f"CPU, threads: {torch.get_num_threads()}"


def note_device(usage: Usage, device: Device) -> None:
    """Write into a job's record on what it ran, and the most memory that it took there so far."""
    usage.device = name_of(device)
    if device.name == "cuda":
        usage.gpu_memory_mb = round(torch.cuda.max_memory_allocated() / 2**20, 1)


def load_base(base_path: str | Path, settings: Base, device: Device) -> PreTrainedModel:
    """Load the base with its linear layers in NF4 (QLoRA, arXiv 2305.14314) and, where it fits, dequantise them once.

    base_path: the `base.json` that names the local folder.
    The dequantised weights are the very numbers that bitsandbytes would multiply by at every step.
    Raises `UserError` if the folder's files are not those that base.json records, if they lack or exceed what the
    architecture asks for, or if outputs are not finite or not a plain projection of hidden states.
    """
    model = _load_nf4(base_folder(base_path), settings, device)
    model.config.use_cache = False
    if _shall_dequantize(settings, model, device):
        # bitsandbytes 0.50 repacks 4-bit weights at a CPU's first evaluation and loses later gradients: never on a CPU.
        model.dequantize(dtype=device.dtype)  # type: ignore[no-untyped-call]
        log.info("base: NF4 weights dequantised once to %s", device.dtype)
    else:
        log.info("base: weights stay in NF4")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    note_tying(model)
    check_forward(model, "base")
    return model


def _load_nf4(folder: Path, settings: Base, device: Device) -> PreTrainedModel:
    quantization = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=settings.double_quantization,
        bnb_4bit_compute_dtype=device.dtype,
    )
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            quantization_config=quantization,
            dtype=device.dtype,
            device_map={"": device.name},
            attn_implementation=ATTENTION,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are named below
        )
    except torch.OutOfMemoryError as error:
        raise UserError(f"{folder}: no memory on {device.name} for the base. Take a device with more memory") from error
    except Exception as error:  # these files come from others, and what they raise in the libraries is open
        raise UserError(f"{folder}: the base cannot be loaded from here ({in_one_line(error)})") from error
    model: PreTrainedModel = loaded[0]
    _check_complete(folder, model, loaded[1])
    return model


def _check_complete(folder: Path, model: PreTrainedModel, found: Mapping[str, Any]) -> None:
    """Refuse weights that transformers would initialise at random, and those that it would leave out."""
    # Old Llamas were saved with the angles of their positions, which are computed and not learnt.
    unexpected = {name for name in found["unexpected_keys"] if not name.endswith("rotary_emb.inv_freq")}
    mismatched = {name for name, *_ in found["mismatched_keys"]}
    names = {"lack": found["missing_keys"], "also hold": unexpected, "hold in another shape": mismatched}
    faults = [f"{what} {named(its)}" for what, its in names.items() if its]
    if faults:
        raise UserError(
            f"{folder}: the weights do not fit {type(model).__name__} as config.json describes it: "
            f"they {'; they '.join(faults)}. Take a complete copy of the base"
        )


def named(names: Iterable[str]) -> str:
    """Return the first of some names in order, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMES_SHOWN} more" if len(ordered) > NAMES_SHOWN else ""
    return ", ".join(ordered[:NAMES_SHOWN]) + more


def note_tying(model: Any) -> None:
    """Let the config say whether input and output embedding are one matrix, as the weights were loaded."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and head.weight is not embedding.weight:
        model.config.tie_word_embeddings = False


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


@torch.inference_mode()
def check_forward(model: Any, source: str | Path) -> torch.Tensor:
    """Return the logits [vocabulary] after five tokens, once `answer_logits` and the model itself agree on them.

    source: the base or the adapter, for the message. Raises `UserError` for logits that are not finite, and for
    architectures that compute something else than `answer_logits` does, such as capped logits.
    """
    ids = torch.arange(5, device=model.device)[None]
    examples = [Example((0, 1, 2, 3, 4, 0), 5), Example((0, 1, 3, 0), 3)]
    batch = to_device(collate(examples), model.device)
    try:
        ours = answer_logits(model, batch)[0].float()
        # As in `answer_logits`: an adapter's weights may be float32 beside a base in 16 bits.
        with torch.autocast(model.device.type, model.dtype, enabled=model.dtype != torch.float32):
            theirs: torch.Tensor = model(input_ids=ids, use_cache=False).logits[0, -1].float()
    except (AttributeError, TypeError, ValueError) as error:
        raise _unknown_architecture(model, source) from error
    if not theirs.isfinite().all():
        raise UserError(
            f"{source}: outputs in {model.dtype} are not finite numbers (NaN or infinity), so no label can be chosen. "
            "Its weights are damaged, or too large for these floating-point numbers"
        )
    if not agree(ours, theirs, model.dtype):
        raise _unknown_architecture(model, source)
    return theirs


def agree(logits: torch.Tensor, others: torch.Tensor, dtype: torch.dtype) -> bool:
    """Return whether two ways to the same logits differ by rounding alone; never where one of them is NaN."""
    # In 16 bits the two round differently along the way; another computation differs by another order.
    tolerance = 1e-3 if dtype == torch.float32 else 0.05
    return bool((logits - others).norm() <= tolerance * others.norm())


def _unknown_architecture(model: Any, source: str | Path) -> UserError:
    its = model.get_base_model() if hasattr(model, "get_base_model") else model
    return UserError(
        f"{source}: {type(its).__name__} computes its logits in a way that babelgrid does not know. "
        "Take a Llama-, Qwen2-, Qwen3- or Mistral-like base"
    )
