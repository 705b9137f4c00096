"""Put an adapter on its base: all of it, or an error that names what does not fit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from babelgrid.base_files import read_base
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.adapter_config import AdapterConfig, check_base, read_adapter_config
from babelgrid.model.base import agree, check_forward, named, note_tying
from babelgrid.model.weights import is_finite

WEIGHTS = "adapter_model.safetensors"

Tensors = dict[str, torch.Tensor]


def add_trained_adapter(model: Any, folder: Path, base_path: Path) -> Any:
    """Return the base with a trained adapter beside its weights, ready to score.

    Every tensor of the file has a place in the base and every adapted layer its tensors, with the shapes that the
    configuration asks for; all are finite, and the adapter is one of this base. Otherwise raises `UserError`.
    """
    config = read_adapter_config(folder)
    tensors, metadata = _read_tensors(folder / WEIGHTS)
    check_base(config, metadata, read_base(base_path), folder)
    adapted = _prepare(model, config, folder).eval()
    asked = _adapter_tensors(adapted)
    own = _without_copies_of_base(tensors, asked, adapted)
    _check_fit(own, asked, folder)
    _load(adapted, own, folder)
    check_forward(adapted, folder)
    return adapted


def merge(adapted: Any, folder: Path) -> Any:
    """Return the base with the adapter added into its weights; for float32, where that changes rounding alone.

    Where the output matrix is the input embedding too, it gets a copy of its own first: adding an adapter of the one
    into the shared numbers would change the other. Raises `UserError` where the outputs do not stay the same.
    """
    before = check_forward(adapted, folder)
    _untie(adapted.get_base_model())
    model = adapted.merge_and_unload()
    note_tying(model)
    if not agree(check_forward(model, folder), before, model.dtype):
        raise UserError(f"{folder}: outputs change when the adapter is added into the weights; report this fault")
    return model


def _read_tensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return an adapter's tensors and the metadata of their file."""
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
            f"{path}: {len(broken)} tensors hold numbers that are not finite (NaN or infinity): {named(broken)}. "
            "Training diverged, or the file is damaged"
        )
    return tensors, metadata


def _prepare(model: Any, config: AdapterConfig, folder: Path) -> Any:
    """Return the base with a new adapter of the configured shape."""
    from peft import LoraConfig, get_peft_model  # costs a second, which the untuned base need not pay

    try:
        adapted = get_peft_model(model, LoraConfig(**config.for_peft()))
        unused = _patterns_without_layer(adapted, config)
    except Exception as error:  # the configuration comes from others, and what it raises in peft is open
        raise UserError(f"{folder}: the configuration does not fit the base ({in_one_line(error)})") from error
    if unused:
        raise UserError(f"{folder}: rank_pattern or alpha_pattern name layers that are not adapted: {named(unused)}")
    return adapted


def _patterns_without_layer(adapted: Any, config: AdapterConfig) -> list[str]:
    from peft.tuners.lora import LoraLayer
    from peft.utils.other import get_pattern_key

    modules = adapted.get_base_model().named_modules()
    layers = [name for name, module in modules if isinstance(module, LoraLayer)]
    patterns = {**(config.rank_pattern or {}), **(config.alpha_pattern or {})}
    return [pattern for pattern in patterns if all(get_pattern_key([pattern], name) != pattern for name in layers)]


def _adapter_tensors(adapted: Any) -> Tensors:
    """Return the tensors that an adapter's file holds, under the names in the file."""
    from peft import get_peft_model_state_dict

    return dict(get_peft_model_state_dict(adapted, save_embedding_layers=False))


def _without_copies_of_base(tensors: Tensors, asked: Tensors, adapted: Any) -> Tensors:
    """Leave out what peft saves beside an adapter of an embedding: the base's own matrices, unchanged."""
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
        faults.append(f"{len(without_place)} tensors have no place in the base: {named(without_place)}")
    if missing := asked.keys() - tensors.keys():
        faults.append(f"{len(missing)} tensors are missing: {named(missing)}")
    shapes = {name: (tuple(tensors[name].shape), tuple(asked[name].shape)) for name in asked.keys() & tensors.keys()}
    wrong = [f"{name} {its} in place of {wanted}" for name, (its, wanted) in shapes.items() if its != wanted]
    if wrong:
        faults.append(f"{len(wrong)} tensors have another shape: {named(wrong)}")
    if faults:
        raise UserError(
            f"{folder}: the adapter does not fit the base and its own configuration. {'; '.join(faults)}. "
            "Take the adapter as it was trained, with its adapter_config.json, on the base it was trained on"
        )


def _load(adapted: Any, tensors: Tensors, folder: Path) -> None:
    """Copy the tensors to their places, and prove that each is there."""
    from peft import set_peft_model_state_dict

    try:
        set_peft_model_state_dict(adapted, tensors)
    except Exception as error:
        raise UserError(f"{folder}: the adapter cannot be put on the base ({in_one_line(error)})") from error
    held: Mapping[str, torch.Tensor] = _adapter_tensors(adapted)
    lost = [name for name, tensor in tensors.items() if not _equal(held[name], tensor.to(held[name].dtype))]
    if lost:
        raise UserError(f"{folder}: {len(lost)} tensors were not loaded: {named(lost)}")
    broken = [name for name, tensor in held.items() if not is_finite(tensor)]
    if broken:
        raise UserError(f"{folder}: {len(broken)} tensors are too large for {adapted.dtype}: {named(broken)}")


def _equal(tensor: torch.Tensor, other: torch.Tensor) -> bool:
    return tensor.shape == other.shape and torch.equal(tensor, other.to(tensor.device))


def _untie(base: Any) -> None:
    """Give an adapted output matrix numbers of its own, if it shares them with the input embedding."""
    outer = base.get_output_embeddings(), base.get_input_embeddings()
    head, embedding = (getattr(layer, "base_layer", layer) for layer in outer)
    if (head, embedding) != outer and head.weight is embedding.weight:
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
