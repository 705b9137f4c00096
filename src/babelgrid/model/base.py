"""Load the 4-bit base: choose device, data type and weight format, and check the outputs."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from babelgrid.base_files import base_folder, read_base
from babelgrid.config.base import Base
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.forward_path import choose_path
from babelgrid.runtime.usage import Usage

log = logging.getLogger(__name__)

NAMES_SHOWN = 3
CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# Besides the weights, a job needs memory for activations, gradients and the optimizer: 0.5 reserves half for them.
SHARE_OF_MEMORY_FOR_WEIGHTS = 0.5


@dataclass(frozen=True)
class Device:
    """Device and floating-point type of a job."""

    name: str
    dtype: torch.dtype


def choose_device(base: Base | None = None) -> Device:
    """Return the GPU with bfloat16 (float16 before Ampere) if there is one, else the CPU.

    base: on a CPU, its `cpu_dtype` applies. The lab's base and other models than a base are in float32 there.
    """
    if torch.cuda.is_available():
        return Device(
            "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        )
    if base is None or base.lab or base.cpu_dtype == "float32":
        return Device("cpu", torch.float32)
    in_bfloat16 = base.cpu_dtype == "bfloat16" or cpu_has_bfloat16()
    return Device("cpu", torch.bfloat16 if in_bfloat16 else torch.float32)


def cpu_has_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 matrices in hardware, from the flags that the Linux kernel lists.

    The choice must be the same in every job on a machine, so it does not depend on a timing.
    """
    try:
        listed_flags = CPU_INFO.read_text(encoding="utf-8")
    except OSError:
        return False
    return bool(BFLOAT16_FLAGS & set(listed_flags.split()))


def describe_device(device: Device) -> str:
    """Return everything about a device that may affect rounding: kind, data type, and GPU model or thread count."""
    on = f"{torch.get_num_threads()} threads" if device.name == "cpu" else torch.cuda.get_device_name()
    return f"{device.name} {device.dtype}, {on}"


def name_of(device: Device) -> str:
    """Return a device's human-readable name, for example `NVIDIA A100-SXM4-80GB` or `CPU, threads: 1`."""
    if device.name == "cuda":
        return torch.cuda.get_device_name()
    in_16_bits = " in bfloat16" if device.dtype == torch.bfloat16 else ""
    return f"CPU{in_16_bits}, threads: {torch.get_num_threads()}"


def note_device(usage: Usage, device: Device) -> None:
    """Record a job's device and, on a GPU, its peak memory so far."""
    usage.device = name_of(device)
    if device.name == "cuda":
        usage.gpu_memory_mb = round(torch.cuda.max_memory_allocated() / 2**20, 1)


def load_base(base_path: str | Path, settings: Base, device: Device) -> PreTrainedModel:
    """Load the base with its linear layers in NF4 (QLoRA, arXiv 2305.14314); dequantise them once if memory allows.

    base_path: the `base.json` that names the local folder.
    The dequantised weights are exactly those that bitsandbytes would multiply by at every step.
    Raises `UserError` if the folder's files differ from those recorded in base.json, if weights are missing or
    unexpected for the architecture, or if outputs are not finite or not a plain projection of hidden states.
    """
    model = _load_nf4(base_folder(base_path), settings, device)
    model.config.use_cache = False
    if _shall_dequantize(settings, model, device):
        # Always dequantise on a CPU: bitsandbytes 0.50 repacks 4-bit weights at the first evaluation there, which
        # breaks later gradients.
        model.dequantize(dtype=device.dtype)  # type: ignore[no-untyped-call]
        log.info("base: NF4 weights dequantised once to %s", device.dtype)
    else:
        log.info("base: weights stay in NF4")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    note_tying(model)
    choose_path(model, "base", read_base(base_path)["forward"])
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
            attn_implementation="eager",  # replaced by choose_path
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported by check_complete
        )
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{folder}: out of memory on {device.name} while loading the base. Use a device with more memory"
        ) from error
    except Exception as error:  # third-party files may raise any exception in the libraries
        raise UserError(f"{folder}: the base cannot be loaded ({in_one_line(error)})") from error
    model: PreTrainedModel = loaded[0]
    check_complete(folder, model, loaded[1])
    return model


def check_complete(source: Path, model: PreTrainedModel, found: Mapping[str, Any]) -> None:
    """Raise `UserError` for weights that transformers would initialise randomly or ignore.

    found: the loading info of `from_pretrained`.
    """
    # Old Llama checkpoints contain rotary frequencies, which are computed, not learnt.
    unexpected = {name for name in found["unexpected_keys"] if not name.endswith("rotary_emb.inv_freq")}
    mismatched = {name for name, *_ in found["mismatched_keys"]}
    refuse_misfit(source, model, found["missing_keys"], unexpected, mismatched, "base")


def refuse_misfit(
    source: Path,
    model: PreTrainedModel,
    missing: Collection[str],
    unexpected: Collection[str],
    mismatched: Collection[str],
    what: str,
) -> None:
    """Raise `UserError` if weights are missing, unexpected or of the wrong shape; what: `base` or `encoder`."""
    names = {"lack": missing, "also contain": unexpected, "have the wrong shape in": mismatched}
    faults = [f"{verb} {listed(its)}" for verb, its in names.items() if its]
    if faults:
        raise UserError(
            f"{source}: the weights do not fit {type(model).__name__} as config.json describes it: "
            f"they {'; they '.join(faults)}. Use a complete copy of the {what}"
        )


def listed(names: Iterable[str]) -> str:
    """Return the first few names in sorted order, and the number of the others."""
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMES_SHOWN} more" if len(ordered) > NAMES_SHOWN else ""
    return ", ".join(ordered[:NAMES_SHOWN]) + more


def note_tying(model: Any) -> None:
    """Set `tie_word_embeddings` to False in the config if the loaded input and output embeddings differ."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and head.weight is not embedding.weight:
        model.config.tie_word_embeddings = False


def _shall_dequantize(settings: Base, model: PreTrainedModel, device: Device) -> bool:
    if device.name == "cpu":
        if settings.weights == "nf4":
            raise UserError(
                "base.weights: nf4 needs a GPU (gradients would be wrong on a CPU); set it to auto or dequantized"
            )
        return True
    if settings.weights != "auto":
        return settings.weights == "dequantized"
    free, _ = torch.cuda.mem_get_info()
    needed = 2 * model.num_parameters()
    return bool(needed < SHARE_OF_MEMORY_FOR_WEIGHTS * free)
