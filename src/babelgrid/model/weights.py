"""Check the weight files of a base, and serialise an adapter's weights reproducibly."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from babelgrid.base_files import INDEX, WEIGHTS
from babelgrid.errors import UserError, in_one_line
from babelgrid.runtime.files import read_json

SINGLE = "model.safetensors"


def check_weights(folder: Path) -> None:
    """Raise `UserError` for an index that points outside the folder, a damaged file, or a non-finite weight.

    This reads every weight, so it runs only once, when base.json is written.
    """
    _check_index(folder)
    for path in sorted(folder.glob(WEIGHTS)):
        for name, tensor in _tensors_in(path):
            if not is_finite(tensor):
                raise UserError(
                    f"{path}: {name} contains a number that is not finite (NaN or infinity), so every output of this "
                    "base would be NaN. Use another copy of the base"
                )


def is_finite(tensor: torch.Tensor) -> bool:
    """Return whether all values of a tensor are finite; 8-bit floats are cast first, as they lack `isfinite`."""
    if not tensor.is_floating_point():
        return True
    return bool((tensor.float() if tensor.element_size() == 1 else tensor).isfinite().all())


def to_bytes(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file; the same tensors and metadata always give the same bytes.

    safetensors itself writes metadata keys in an order that varies between calls.
    """
    content = save(dict(tensors), metadata=dict(metadata))
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(size)
    return content[:8] + ordered + content[8 + size :]


def _check_index(folder: Path) -> None:
    if not (folder / INDEX).is_file():
        return
    index = read_json(folder / INDEX)
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict):
        raise UserError(f"{folder / INDEX}: has no weight_map")
    for name in sorted({str(name) for name in weight_map.values()}):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise UserError(
                f"{folder / INDEX}: lists {name!r}; weights must be *.safetensors files in the base's own folder"
            )
        if not (folder / name).is_file():
            raise UserError(f"{folder / INDEX}: lists {name!r}, which is not in the folder. Use a complete copy")


def _tensors_in(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (a safetensors file is not a mapping)
                yield name, file.get_tensor(name)
    except Exception as error:
        raise UserError(f"{path}: cannot be read as safetensors ({in_one_line(error)})") from error
