"""Write the files of a released adapter: the adapter with its base's public name, merged weights and the lab's base."""

import re
import shutil
from pathlib import Path
from typing import Any

import torch

from babelgrid.config.base import Base
from babelgrid.errors import UserError
from babelgrid.model.base import Device
from babelgrid.model.predict import load_adapted
from babelgrid.release.name import PublicBase
from babelgrid.runtime.files import read_json, write_json, write_text

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "vocab.json", "merges.txt", "*.model", "*.jinja")
MODEL = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json")
OF_A_MACHINE = ("name_or_path", "tokenizer_file", "special_tokens_map_file")
"""Keys in tokenizer_config.json in which older versions of transformers stored the tokenizer's path."""
VOCABULARY = ("tokenizer.json", "vocab.json", "merges.txt", "*.model", "*.gguf")
"""Files with many thousand word pieces, which may contain a short path such as `/app/` by chance."""
LEGAL = ("LICENSE*", "NOTICE*", "USE_POLICY*")


def write_weights(adapter: Path, base_path: Path, base: Base, public: PublicBase, into: Path) -> None:
    """Write into a folder the adapter, `merged` (bfloat16, with its tokenizer) and, if it has no public name, `base`.

    The merged weights are those that the adapter was trained on, the dequantised NF4 weights of the base. The adapter
    is added in float32 and the sum rounded once. They are not quantised to 4 bits again, because the adapter's small
    values would be lost.
    """
    folder = Path(read_json(base_path)["folder"])
    shutil.copyfile(adapter / WEIGHTS, into / WEIGHTS)
    config = read_json(adapter / CONFIG)
    write_json(into / CONFIG, {**config, "base_model_name_or_path": public.name, "revision": public.revision})
    as_numbers = base.model_copy(update={"weights": "dequantized"})
    _save(load_adapted(base_path, adapter, as_numbers, Device("cpu", torch.float32)), into / "merged")
    _copy(folder, into / "merged", TOKENIZER)
    _copy(folder, into, LEGAL)
    if public.is_llama:
        write_text(into / "NOTICE", _llama_notice(public.name))
    if public.is_beside:
        _copy(folder, into / "base", (*MODEL, *TOKENIZER))


def _save(model: Any, out: Path) -> None:
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config._name_or_path = ""  # else a path of this machine may be written
    model.to(torch.bfloat16).save_pretrained(out)


def _copy(folder: Path, out: Path, patterns: tuple[str, ...]) -> None:
    """Copy the files that a release needs from a base, without any record of how and where the base was made."""
    out.mkdir(exist_ok=True)
    for pattern in patterns:
        for path in folder.glob(pattern):
            shutil.copyfile(path, out / path.name)
    tokenizer = out / "tokenizer_config.json"
    if tokenizer.is_file():
        write_json(tokenizer, {key: value for key, value in read_json(tokenizer).items() if key not in OF_A_MACHINE})


def _llama_notice(name: str) -> str:
    """Return the notice required for derivatives of Llama (Llama 3.2 Community License, section 1.b.iii)."""
    version = re.search(r"llama-(\d+(?:\.\d+)?)(?=-|$)", name, re.IGNORECASE)
    llama = f"Llama {version[1]}" if version else "Llama"
    licence = f"{llama} is licensed under the {llama} Community License"
    return f"{licence}, Copyright © Meta Platforms, Inc. All Rights Reserved.\n"


def check_paths(folder: Path, base_path: Path) -> None:
    """Raise `UserError` if a released file names a folder of this machine; of weight files, only check the header."""
    base = str(Path(read_json(base_path)["folder"]).resolve())
    places = [base, f"{Path.cwd()}/", f"{Path.home()}/"]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = b"" if any(map(path.match, VOCABULARY)) else _words_of(path)
        if named := next((place for place in places if place.encode() in content), None):
            raise UserError(
                f"release: {path.relative_to(folder)} would name {named!r}, a folder of this machine. Remove it from "
                "the base's files or from the config"
            )


def _words_of(path: Path) -> bytes:
    """Return a file's bytes, or only the header of a safetensors file."""
    with path.open("rb") as stream:
        return stream.read(int.from_bytes(stream.read(8), "little") if path.suffix == ".safetensors" else -1)
