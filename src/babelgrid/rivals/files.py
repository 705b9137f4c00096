"""Record the encoder of a rival once, as base.json records the base; all later jobs read local files only."""

from pathlib import Path
from typing import Any

from babelgrid.base_files import record_base
from babelgrid.config.rivals import PretrainedEncoder
from babelgrid.errors import UserError
from babelgrid.model.hub import check_folder, find_model
from babelgrid.runtime.files import read_json

MODULES = "modules.json"
"""The list of steps in a folder of sentence-transformers."""
POOLINGS = {"mean": "mean", "mean_tokens": "mean", "cls": "cls", "cls_token": "cls"}
"""Names of the poolings that babelgrid knows."""


def prefetch_encoder(key: str, settings: PretrainedEncoder, out: Path, lab_folder: Path | None = None) -> None:
    """Download the encoder if it is on the Hub, and write its record (see `base_files.record_base`) to `out`.

    key: the config block, for errors. lab_folder: folder of the encoder that the lab pre-trained, or None.
    The record also contains `sentence`: how the folder says that the vector of a sentence is made.
    Raises `UserError` as `prefetch_base` does.
    """
    if lab_folder is not None:
        name, folder = "lab", lab_folder
    else:
        name, folder = find_model(key, settings.hub, settings.revision, settings.folder)
    check_folder(folder)
    record_base(name, settings.revision, folder, out, more={"sentence": read_recipe(folder)})


def read_recipe(folder: Path) -> dict[str, Any]:
    """Return pooling (mean or cls), normalize and max_tokens (or None) from a folder in sentence-transformers' layout.

    A folder without modules.json is an encoder alone: its vectors are means over the tokens, not normalised.
    Raises `UserError` for steps that babelgrid does not know, since leaving them out would give other vectors.
    """
    if not (folder / MODULES).is_file():
        return {"pooling": "mean", "normalize": False, "max_tokens": None}
    recipe: dict[str, Any] = {"pooling": None, "normalize": False, "max_tokens": _limit_of(folder)}
    modules = read_json(folder / MODULES)
    for module in modules if isinstance(modules, list) else []:
        kind = str(module.get("type", "")).rsplit(".", 1)[-1]
        if kind == "Transformer" and module.get("path") in {"", None}:
            continue
        if kind == "Pooling":
            recipe["pooling"] = _pooling_of(folder / str(module.get("path")) / "config.json")
        elif kind == "Normalize":
            recipe["normalize"] = True
        else:
            place = f" in {module['path']!r}" if module.get("path") else ""
            raise UserError(
                f"{folder / MODULES}: the step {kind!r}{place} is not supported. Allowed: Transformer (in the folder "
                "itself), Pooling, Normalize. Use another sentence encoder"
            )
    if recipe["pooling"] is None:
        raise UserError(f"{folder / MODULES}: lists no Pooling, so there is no vector for a sentence")
    return recipe


def _pooling_of(path: Path) -> str:
    """Return mean or cls from a pooling's config.json, which names its mode or has a flag for each mode."""
    config = read_json(path)
    named = config.get("pooling_mode")
    flags = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    chosen = [named] if isinstance(named, str) else named or [key.removeprefix("pooling_mode_") for key in flags]
    if len(chosen) != 1 or chosen[0] not in POOLINGS or config.get("include_prompt") is False:
        raise UserError(
            f"{path}: this pooling is not supported ({', '.join(map(str, chosen)) or 'none'}). Allowed: the mean of "
            "all tokens, or the first token (cls)"
        )
    return POOLINGS[chosen[0]]


def _limit_of(folder: Path) -> int | None:
    path = folder / "sentence_bert_config.json"
    limit = read_json(path).get("max_seq_length") if path.is_file() else None
    return limit if isinstance(limit, int) else None
