"""Add a new LoRA adapter to a base, and describe a trained one so that it fits the unchanged base."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file

from babelgrid.base_files import WEIGHTS
from babelgrid.config.finetune import Lora
from babelgrid.errors import UserError, in_one_line, nearest
from babelgrid.model.forward_path import check_gradients

# peft refuses to adapt these layers of these types, since their fused kernels read the weights past the adapter.
MAMBA_TYPES = {"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"}
MAMBA_LAYERS = {"conv1d", "out_proj"}


def add_adapter(model: Any, settings: Lora) -> Any:
    """Return the base with a new LoRA adapter, on a forward path whose gradients equal those of the model's own.

    Raises `UserError` if the base lacks a target layer, or has none that can be adapted.
    """
    check_targets(model, settings, "finetune")
    try:
        adapted = get_peft_model(model, lora_config(settings, model))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"finetune.lora: peft cannot adapt these layers of the base this way ({in_one_line(error)}). "
            f"Its linear layers: {', '.join(linear_layers(model))}"
        ) from error
    if settings.init_lora_weights == "loftq":
        _start_at_rounding_error(adapted)
    check_gradients(adapted)
    return adapted


def check_targets(model: Any, settings: Lora, key: str) -> None:
    """Raise `UserError` if the model lacks a target layer; key: the config block that contains `lora.targets`."""
    if isinstance(settings.targets, str):
        return
    linear = linear_layers(model)
    for target in settings.targets:
        if target not in linear:
            raise UserError(
                f"{key}.lora.targets: the model has no linear layer {target!r}{nearest(target, linear)}. "
                f"Allowed: {', '.join(linear)}"
            )


def linear_layers(model: Any) -> list[str]:
    """Return the last parts of the names of a model's linear layers, sorted."""
    modules = model.named_modules()
    return sorted({name.rsplit(".", 1)[-1] for name, module in modules if isinstance(module, torch.nn.Linear)})


def lora_config(settings: Lora, model: Any) -> LoraConfig:
    """Return peft's description of the adapter."""
    leave_out = layers_to_leave_out(model) if isinstance(settings.targets, str) else []
    return LoraConfig(**lora_arguments(settings), exclude_modules=leave_out or None, task_type="CAUSAL_LM")


def lora_arguments(settings: Lora) -> dict[str, Any]:
    """Return the arguments of peft's LoraConfig that the settings determine, whatever the model."""
    return {
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "target_modules": settings.targets if isinstance(settings.targets, str) else sorted(settings.targets),
        "use_rslora": settings.use_rslora,
        "use_dora": settings.use_dora,
        # LoftQ's values are set afterwards, since peft computes them for another quantisation.
        "init_lora_weights": settings.init_lora_weights in ("default", "loftq") or settings.init_lora_weights,
        "bias": "none",
    }


@torch.no_grad()
def _start_at_rounding_error(adapted: Any) -> None:
    """Set each layer's update to the part of highest energy, of the adapter's rank, of what 4-bit rounding took away.

    This is LoftQ (arXiv 2310.08659, algorithm 1) with one step. The base keeps its weights.
    """
    originals = _weights_in(Path(adapted.get_base_model().name_or_path))
    for name, layer in _layers(adapted):
        weight = originals.get(f"{name}.weight")
        if weight is None or weight.shape != (layer.out_features, layer.in_features):
            raise UserError(
                f"finetune.lora.init_lora_weights: loftq needs the weight of {name} in the base's files, which store "
                "it under another name or shape. Choose another value"
            )
        down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        lost = weight.float() - _base_weight(layer).float().cpu()
        left, energy, right = torch.linalg.svd(lost / layer.scaling["default"], full_matrices=False)
        root = energy[: len(down)].sqrt()
        down.copy_(root[:, None] * right[: len(down)])
        up.copy_(left[:, : len(down)] * root)


def _base_weight(layer: Any) -> torch.Tensor:
    from peft.utils.integrations import dequantize_module_weight

    return dequantize_module_weight(layer.base_layer)


def _weights_in(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob(WEIGHTS)):
        tensors |= load_file(path)
    return tensors


def _layers(adapted: Any) -> Iterator[tuple[str, Any]]:
    """Yield the adapted layers with their names in the base."""
    return (
        (name, module) for name, module in adapted.get_base_model().named_modules() if isinstance(module, LoraLayer)
    )


def initial_update(adapted: Any, settings: Lora) -> dict[str, torch.Tensor]:
    """Return the new adapter's tensors if it changed the base's weights (PiSSA), else nothing."""
    if settings.init_lora_weights != "pissa":
        return {}
    return {name: tensor.detach().cpu().clone() for name, tensor in get_peft_model_state_dict(adapted).items()}


def fit_unchanged_base(
    tensors: dict[str, torch.Tensor], initial: dict[str, torch.Tensor], config: LoraConfig
) -> dict[str, torch.Tensor]:
    """Return a trained adapter's tensors for the base as it was before training, and adjust its configuration.

    PiSSA subtracts the initial update s B0 A0 from the base, so the update of the unchanged base is
    s (B A - B0 A0) = s [B, -B0] [A; A0], of twice the rank.
    """
    if not initial:
        return tensors
    factor: Any = math.sqrt(2) if config.use_rslora else 2
    config.r, config.lora_alpha, config.init_lora_weights = 2 * config.r, factor * config.lora_alpha, True
    return {
        name: torch.cat([tensor, initial[name]]) if "lora_A" in name else torch.cat([tensor, -initial[name]], dim=1)
        for name, tensor in tensors.items()
    }


def layers_to_leave_out(model: Any) -> list[str]:
    """Return the names of linear layers that LoRA cannot adapt: routers of experts, fused layers of Mamba."""
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    own = {name.rsplit(".", 1)[-1] for name, module in linear if not _returns_product(module)}
    fused = MAMBA_LAYERS if model.config.model_type in MAMBA_TYPES else set()
    return sorted(own | {name.rsplit(".", 1)[-1] for name, _ in linear} & fused)


@torch.inference_mode()
def _returns_product(layer: torch.nn.Linear) -> bool:
    """Return whether a layer returns one tensor; a router, a subclass that a model defines itself, returns several."""
    if not type(layer).__module__.startswith("transformers."):
        return True
    try:
        output: object = layer(layer.weight.new_zeros(1, layer.in_features))
    except Exception:  # code of many models, which may raise any exception
        return False
    return isinstance(output, torch.Tensor) and output.shape == (1, layer.out_features)
