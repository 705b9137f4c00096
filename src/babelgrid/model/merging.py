"""Merge adapters without training: weighted averages of their updates, and layer swaps.

An adapter's update of a layer is s B A, with A of shape (rank, inputs), B of shape (outputs, rank) and the scale s. A
weighted sum w₁ s₁ B₁ A₁ + w₂ s₂ B₂ A₂ is an update of the same form: A₁ on top of A₂, w₁ s₁ B₁ beside w₂ s₂ B₂, and the
scale 1; the ranks add up. peft's `add_weighted_adapter` does this as `combination_type="cat"`, for a base in memory.
Averages of the matrices A and B themselves would have another product.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from babelgrid.base_files import ADAPTER_CONFIG, read_base, weights_digest
from babelgrid.errors import UserError
from babelgrid.mixture import Merge
from babelgrid.model.adapter import WEIGHTS, Tensors, read_tensors
from babelgrid.model.adapter_config import (
    BASE_WEIGHTS,
    NON_RESULT_KEYS,
    AdapterConfig,
    check_base,
    read_adapter_config,
)
from babelgrid.model.base import listed
from babelgrid.model.weights import to_bytes
from babelgrid.runtime.files import provenance, read_json, write_folder, write_json

_NAME = re.compile(r"(?P<layer>base_model\.model\.(?P<module>.+))\.lora_(?P<matrix>[AB])\.weight")
_SHAPE_KEYS = {"r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern"}
"""Keys of a configuration that may differ between parents: they only set the scale and the shapes."""


class Update(NamedTuple):
    """The update of one module, including its scale: outer @ inner."""

    inner: torch.Tensor
    """A, of shape (rank, inputs)."""
    outer: torch.Tensor
    """s B, of shape (outputs, rank), in float64."""


def merge_adapters(
    parents: Sequence[Path], base_path: Path, out: Path, *, merge: Merge, settings: Mapping[str, Any]
) -> None:
    """Write the adapter of a merged row: weights (float32), peft's configuration and provenance; no base is loaded.

    parents: folders of the adapters, in the order of `merge.parents`. settings: recorded in the provenance.
    Raises `UserError` if a parent was trained on another base, if parents adapt different modules, or if their sum
    cannot be written exactly as one LoRA update.
    """
    its_base = read_base(base_path)
    updates = [read_updates(folder, its_base) for folder in parents]
    _refuse_differences(parents)
    merged = combine(updates, merge, parents)
    config = _config_of(parents[0], {module: len(update.inner) for module, update in merged.items()})
    record = provenance(settings, [base_path, *(folder / WEIGHTS for folder in parents)])
    metadata = {"format": "pt", BASE_WEIGHTS: weights_digest(its_base)}

    def fill(folder: Path) -> None:
        (folder / WEIGHTS).write_bytes(to_bytes(_tensors_of(merged), metadata))
        write_json(folder / ADAPTER_CONFIG, config)
        write_json(folder / "provenance.json", record)

    write_folder(out, fill)


def read_updates(folder: Path, its_base: Mapping[str, Any]) -> dict[str, Update]:
    """Return the update of each module of an adapter, by the module's name in the base.

    its_base: content of base.json. Raises `UserError` for an adapter of another base, and for one whose effect is not a
    sum of products B A alone (DoRA, trained biases or modules, adapted embeddings).
    """
    config = read_adapter_config(folder)
    tensors, metadata = read_tensors(folder / WEIGHTS)
    check_base(config, metadata, its_base, folder)
    _refuse_inexact(config, folder)
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in sorted(tensors.items()):
        found = _NAME.fullmatch(name)
        if found is None or tensor.ndim != 2:
            raise UserError(
                f"{folder}: {name} is not a matrix A or B of a linear layer, so it cannot be merged exactly"
            )
        halves.setdefault(found["module"], {})[found["matrix"]] = tensor
    return {module: _update(own, config, f"{folder}: {module}") for module, own in halves.items()}


def combine(updates: Sequence[Mapping[str, Update]], merge: Merge, folders: Sequence[Path]) -> dict[str, Update]:
    """Return the weighted sum of updates in each module; parents without weight in a layer are left out there.

    Raises `UserError` if the parents adapt different modules, or if a layer swap leaves no layer in the middle.
    """
    for folder, own in zip(folders, updates, strict=True):
        if others := own.keys() ^ updates[0].keys():
            raise UserError(
                f"{folder}: adapts other modules than {folders[0]}, so they cannot be merged: {listed(others)}"
            )
    layers = {module: _layer_of(module) for module in updates[0]}
    number = 1 + max((layer for layer in layers.values() if layer is not None), default=0)
    _check_swap(merge, number)
    merged = {}
    for module, layer in layers.items():
        # The output matrix, which is in no layer, belongs to the top one.
        weights = merge.weights_in(number - 1 if layer is None else layer, number)
        parts = [(weight, own[module]) for weight, own in zip(weights, updates, strict=True) if weight]
        inner = torch.cat([update.inner for _, update in parts])
        merged[module] = Update(inner, torch.cat([weight * update.outer for weight, update in parts], dim=1))
    return merged


def _update(halves: Mapping[str, torch.Tensor], config: AdapterConfig, where: str) -> Update:
    """Return A and s B of one module, whose scale is alpha / rank (alpha / √rank for rank-stabilised LoRA)."""
    if halves.keys() != {"A", "B"} or len(halves["A"]) != halves["B"].shape[1]:
        raise UserError(f"{where}: the matrices A and B do not belong together. Delete the adapter and run again")
    rank = len(halves["A"])
    scale = config.lora_alpha / (math.sqrt(rank) if config.use_rslora else rank)
    return Update(halves["A"], scale * halves["B"].double())


def _refuse_inexact(config: AdapterConfig, folder: Path) -> None:
    obstacles = {
        "use_dora": config.use_dora,
        "bias": config.bias != "none",
        "modules_to_save": config.modules_to_save,
        "rank_pattern": config.rank_pattern,
        "alpha_pattern": config.alpha_pattern,
    }
    if set_keys := [key for key, value in obstacles.items() if value]:
        raise UserError(
            f"{folder / ADAPTER_CONFIG}: sets {', '.join(set_keys)}. Only plain LoRA of one rank can be merged "
            "exactly; remove the row from mixtures.merged"
        )


def _refuse_differences(parents: Sequence[Path]) -> None:
    """Raise `UserError` if the parents' configurations differ in more than rank and scale."""

    def content(folder: Path) -> dict[str, Any]:
        return read_adapter_config(folder).model_dump(exclude=_SHAPE_KEYS | NON_RESULT_KEYS)

    first = content(parents[0])
    for folder in parents[1:]:
        own = content(folder)
        if differing := sorted(key for key in first.keys() | own.keys() if first.get(key) != own.get(key)):
            raise UserError(
                f"{folder / ADAPTER_CONFIG}: {', '.join(differing)} differs from {parents[0] / ADAPTER_CONFIG}, so the "
                "adapters cannot be merged. Train both with the same settings"
            )


def _layer_of(module: str) -> int | None:
    """Return the number of the layer that contains a module, or None for the output matrix.

    The first number in a module's name is its layer's, in all architectures: `model.layers.3.mlp.up_proj`,
    `transformer.h.3.attn.c_attn`.
    """
    found = re.search(r"\.(\d+)\.", module)
    return int(found[1]) if found else None


def _check_swap(merge: Merge, layers: int) -> None:
    if merge.swap is None:
        return
    bottom, top, transition = merge.swap
    outside = bottom + top + transition * ((bottom > 0) + (top > 0))
    if outside >= layers:
        raise UserError(
            f"mixtures.merged.swaps: {bottom} bottom, {top} top and the transition layers ({transition} at a border) "
            f"leave no middle layer: the adapters have {layers} layers. Lower bottom, top or transition"
        )


def _config_of(parent: Path, ranks: Mapping[str, int]) -> dict[str, Any]:
    """Return the parent's configuration with the merged ranks, and alpha equal to the rank, so that the scale is 1."""
    [(usual, _)] = Counter(ranks.values()).most_common(1)
    # Patterns are regular expressions that match the end of a module's name.
    others = {re.escape(module): rank for module, rank in ranks.items() if rank != usual}
    shape = {"r": usual, "lora_alpha": usual, "rank_pattern": others, "alpha_pattern": others, "use_rslora": False}
    return {**read_json(parent / ADAPTER_CONFIG), **json.loads(json.dumps(shape))}


def _tensors_of(merged: Mapping[str, Update]) -> Tensors:
    tensors = {}
    for module, update in merged.items():
        for matrix, tensor in (("A", update.inner), ("B", update.outer)):
            tensors[f"base_model.model.{module}.lora_{matrix}.weight"] = tensor.float().contiguous()
    return tensors
