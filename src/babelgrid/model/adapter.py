"""Load an adapter onto its base, or raise an error that names every mismatch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from babelgrid.base_files import read_base
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.adapter_config import AdapterConfig, check_base, read_adapter_config
from babelgrid.model.base import listed, note_tying
from babelgrid.model.forward_path import agree, check_path
from babelgrid.model.weights import is_finite

WEIGHTS = "adapter_model.safetensors"

Tensors = dict[str, torch.Tensor]


def add_trained_adapter(model: Any, folder: Path, base_path: Path) -> Any:
    """Return the base with a trained adapter beside its weights, ready to score.

    Raises `UserError` if the adapter was trained on a different base, if a tensor is missing, unexpected, not finite
    or of a shape other than the configured one.
    """
    config = read_adapter_config(folder)
    tensors, metadata = read_tensors(folder / WEIGHTS)
    check_base(config, metadata, read_base(base_path), folder)
    adapted = _prepare(model, config, folder).eval()
    asked = _adapter_tensors(adapted)
    own = _without_copies_of_base(tensors, asked, adapted)
    _check_fit(own, asked, folder)
    _load(adapted, own, folder)
    check_path(adapted, folder)
    return adapted


def merge(adapted: Any, folder: Path) -> Any:
    """Return the base with the adapter merged into its weights; only for float32, where this changes just rounding.

    If the output matrix is tied to the input embedding, it is copied first: merging an adapter of one into the shared
    weights would change the other. Raises `UserError` if merging changes the outputs.
    """
    before = check_path(adapted, folder)
    _untie(adapted.get_base_model())
    model = adapted.merge_and_unload()
    note_tying(model)
    if not agree(check_path(model, folder), before, model.dtype):
        raise UserError(f"{folder}: outputs change when the adapter is merged into the weights; please report this bug")
    return model


def read_tensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return an adapter's tensors and the metadata of the file."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            metadata = dict(file.metadata() or {})
    except Exception as error:
        raise UserError(
            f"{path.parent}: the adapter cannot be loaded ({in_one_line(error)}). Delete it and run again"
        ) from error
    broken = [name for name, tensor in tensors.items() if not tensor.is_floating_point() or not is_finite(tensor)]
    if broken:
        raise UserError(
            f"{path}: {len(broken)} tensors contain numbers that are not finite (NaN or infinity): {listed(broken)}. "
            "Training diverged, or the file is damaged"
        )
    return tensors, metadata


def _prepare(model: Any, config: AdapterConfig, folder: Path) -> Any:
    """Return the base with a new adapter of the configured shape."""
    from peft import LoraConfig, get_peft_model  # takes a second to import, which the untuned base does not need

    try:
        adapted = get_peft_model(model, LoraConfig(**config.for_peft()))
        unused = _patterns_without_layer(adapted, config)
    except Exception as error:  # the configuration is third-party and may raise any exception in peft
        raise UserError(f"{folder}: the configuration does not fit the base ({in_one_line(error)})") from error
    if unused:
        raise UserError(f"{folder}: rank_pattern or alpha_pattern name layers that are not adapted: {listed(unused)}")
    return adapted


def _patterns_without_layer(adapted: Any, config: AdapterConfig) -> list[str]:
    from peft.tuners.lora import LoraLayer
    from peft.utils.other import get_pattern_key

    modules = adapted.get_base_model().named_modules()
    layers = [name for name, module in modules if isinstance(module, LoraLayer)]
    patterns = {**(config.rank_pattern or {}), **(config.alpha_pattern or {})}
    return [pattern for pattern in patterns if all(get_pattern_key([pattern], name) != pattern for name in layers)]


def _adapter_tensors(adapted: Any) -> Tensors:
    """Return the tensors of an adapter's file, under their names in the file."""
    from peft import get_peft_model_state_dict

    return dict(get_peft_model_state_dict(adapted, save_embedding_layers=False))


def _without_copies_of_base(tensors: Tensors, asked: Tensors, adapted: Any) -> Tensors:
    """Drop unchanged matrices of the base, which peft saves along with an adapter of an embedding."""
    weights = adapted.state_dict()
    copies = {
        name
        for name in tensors.keys() - asked.keys()
        if name in weights and _equal(weights[name].to(tensors[name].dtype), tensors[name])
    }
    return {name: tensor for name, tensor in tensors.items() if name not in copies}


def _check_fit(tensors: Tensors, asked: Tensors, folder: Path) -> None:
    faults = []
    if without_place := tensors.keys() - asked.keys():
        faults.append(f"{len(without_place)} tensors are unexpected: {listed(without_place)}")
    if missing := asked.keys() - tensors.keys():
        faults.append(f"{len(missing)} tensors are missing: {listed(missing)}")
    shapes = {name: (tuple(tensors[name].shape), tuple(asked[name].shape)) for name in asked.keys() & tensors.keys()}
    wrong = [f"{name} {its} (expected {wanted})" for name, (its, wanted) in shapes.items() if its != wanted]
    if wrong:
        faults.append(f"{len(wrong)} tensors have the wrong shape: {listed(wrong)}")
    if faults:
        raise UserError(
            f"{folder}: the adapter does not fit the base and its own configuration. {'; '.join(faults)}. "
            "Use the adapter unmodified, with its own adapter_config.json, on the base it was trained on"
        )


def _load(adapted: Any, tensors: Tensors, folder: Path) -> None:
    """Copy the tensors into the model and check that each was loaded."""
    from peft import set_peft_model_state_dict

    try:
        set_peft_model_state_dict(adapted, tensors)
    except Exception as error:
        raise UserError(f"{folder}: the adapter cannot be loaded onto the base ({in_one_line(error)})") from error
    held: Mapping[str, torch.Tensor] = _adapter_tensors(adapted)
    lost = [name for name, tensor in tensors.items() if not _equal(held[name], tensor.to(held[name].dtype))]
    if lost:
        raise UserError(f"{folder}: {len(lost)} tensors were not loaded: {listed(lost)}")
    broken = [name for name, tensor in held.items() if not is_finite(tensor)]
    if broken:
        raise UserError(f"{folder}: {len(broken)} tensors are too large for {adapted.dtype}: {listed(broken)}")


def _equal(tensor: torch.Tensor, other: torch.Tensor) -> bool:
    return tensor.shape == other.shape and torch.equal(tensor, other.to(tensor.device))


def _untie(base: Any) -> None:
    """Copy the weights shared by the output matrix and the input embedding if either is adapted."""
    outer = base.get_output_embeddings(), base.get_input_embeddings()
    head, embedding = (getattr(layer, "base_layer", layer) for layer in outer)
    if (head, embedding) != outer and head.weight is embedding.weight:
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
