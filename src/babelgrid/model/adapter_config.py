"""Read an adapter's configuration, reject unsupported ones, and check that the adapter belongs to the base."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from babelgrid.base_files import ADAPTER_CONFIG, weights_digest
from babelgrid.errors import UserError

BASE_WEIGHTS = "base_weights"
"""Key in the metadata of adapter_model.safetensors: `weights_digest` of the base that the adapter was trained on."""
NON_RESULT_KEYS = {
    *("auto_mapping", "peft_version", "inference_mode", "lora_dropout", "runtime_config"),
    # Each of these matters only in combination with another key, which is rejected.
    *("megatron_core", "qalora_group_size", "loftq_config", "eva_config", "corda_config", "lora_ga_config"),
}
NOT_FOR_PEFT = {"peft_type", "init_lora_weights", "base_model_name_or_path", "revision"}

Rank = Annotated[int, Field(ge=1)]
Alpha = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AdapterConfig(BaseModel):
    """The part of peft's LoraConfig that determines what a trained adapter computes; other keys must be unset."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    peft_type: Literal["LORA"]
    task_type: Literal["CAUSAL_LM"]
    base_model_name_or_path: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    r: Rank
    lora_alpha: Alpha
    target_modules: list[str] | str | None = None
    exclude_modules: list[str] | str | None = None
    layers_to_transform: list[int] | int | None = None
    layers_pattern: list[str] | str | None = None
    rank_pattern: dict[str, Rank] | None = None
    alpha_pattern: dict[str, Alpha] | None = None
    bias: Literal["none", "all", "lora_only"] = "none"
    modules_to_save: list[str] | None = None
    use_rslora: bool = False
    use_dora: bool = False
    # The other initialisations (PiSSA, OLoRA, LoftQ, …) subtract a part of the base's weights before training.
    init_lora_weights: bool | Literal["gaussian", "orthogonal", "eva"] | None = True

    def for_peft(self) -> dict[str, Any]:
        """Return the arguments of peft's LoraConfig for loading a trained adapter."""
        asked = self.model_dump(include=set(type(self).model_fields) - NOT_FOR_PEFT)
        patterns = {name: asked[name] or {} for name in ("rank_pattern", "alpha_pattern")}
        return {**asked, **patterns, "inference_mode": True}


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Read adapter_config.json; raise `UserError` naming a key that is missing, wrong or not supported."""
    path = folder / ADAPTER_CONFIG
    try:
        config = AdapterConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path}: {f'{key}: ' if key else ''}{first['msg']}. babelgrid loads LoRA adapters (peft_type LORA) of "
            "causal language models (task_type CAUSAL_LM), as written by peft"
        ) from error
    for key, value in (config.model_extra or {}).items():
        if value and key not in NON_RESULT_KEYS:
            shown = json.dumps(value)[:60]
            raise UserError(f"{path}: {key} is {shown}, which babelgrid does not support. Use an adapter without it")
    return config


def check_base(config: AdapterConfig, metadata: Mapping[str, str], record: Mapping[str, Any], folder: Path) -> None:
    """Raise `UserError` unless the adapter was trained on the base in use.

    The base's name in the adapter's configuration must match, and so must the revision if both are pinned to a commit.
    Adapters trained by babelgrid also record a digest of the base's weights. It must match too, unless name and
    revision already identify the base: a commit on the Hub cannot change. record: content of base.json.
    """
    name, revision = config.base_model_name_or_path, config.revision
    found = f"{name!r}{f' at {revision}' if revision else ''}"
    here_revision = record.get("revision")
    here = f"{record['name']!r}{f' at {here_revision}' if here_revision else ''}"
    both_pinned = _is_commit(revision) and _is_commit(here_revision)
    if not _is_name_of(name, record) or (both_pinned and revision != here_revision):
        raise UserError(
            f"{folder}: was trained on the base {found}, but the base in use is {here}; its labels would be wrong. "
            f"Configure that base. If both are the same, copy the adapter to a folder, set base_model_name_or_path to "
            f"{record['name']!r} in its {ADAPTER_CONFIG}, and set classify.folder to that folder"
        )
    recorded = metadata.get(BASE_WEIGHTS)
    if recorded is not None and recorded != weights_digest(record) and not both_pinned:
        raise UserError(
            f"{folder}: was trained on a different base that is also called {name!r}: the digest of the base's weights "
            "recorded in the adapter does not match. Configure the base it was trained on, or train it again"
        )


def _is_commit(revision: str | None) -> bool:
    return revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def _is_name_of(name: str, record: Mapping[str, Any]) -> bool:
    """Return whether a name or path in an adapter's configuration denotes the base.

    If either is a folder, only the last path component is compared: the same base may be stored elsewhere.
    """
    folder = Path(record["folder"])
    cached = re.search(r"models--(.+?)--(.+?)/snapshots/", f"{folder.resolve()}/")
    names = {str(record["name"]), str(folder), str(folder.resolve()), *(["/".join(cached.groups())] if cached else [])}
    its = name.rstrip("/")
    if its.casefold() in {one.casefold() for one in names}:
        return True
    is_path = its.startswith(("/", ".", "~")) or its.count("/") > 1
    if record.get("revision") and not is_path:
        return False
    last_parts = {one.rstrip("/").rpartition("/")[2].casefold() for one in names}
    return its.rpartition("/")[2].casefold() in last_parts
