"""Bring the base to this machine, once, before any GPU job; after it, jobs read local files only."""

import errno
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

from babelgrid.base_files import ADAPTER_CONFIG, record_base
from babelgrid.config.base import Base
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.adapter_config import read_adapter_config
from babelgrid.model.weights import check_weights
from babelgrid.runtime.files import whole_file
from babelgrid.runtime.places import public_path

log = logging.getLogger(__name__)

# Weights as safetensors, never as pickles; no code.
WANTED = [
    "*.safetensors",
    "*.safetensors.index.json",
    "*.json",
    "tokenizer*",
    "*.model",
    "*.jinja",
    "LICENSE*",
    "NOTICE*",
    "USE_POLICY*",
]
UNWANTED = ["original/*", "*.py", "*.bin", "*.pth"]
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")


def prefetch_base(settings: Base, lab_folder: Path | None, out: Path) -> None:
    """Make the base a local folder and write what it is to `out`: name, revision, folder, SHA-256 of every file.

    lab_folder: where the experiment pre-trained its own base, if it did.
    Raises `UserError` if it cannot be had, if loading it would run foreign code, read a pickle or leave the folder, or
    if a weight is not a finite number.
    """
    if settings.hub:
        name, folder = settings.hub, _download("base.hub", settings.hub, str(settings.revision))
    elif lab_folder is not None:
        name, folder = "lab", lab_folder
    else:
        folder = Path(str(settings.folder)).expanduser()
        name = Path(public_path(folder)).name or "base"
    check_folder(folder)
    record_base(name, settings.revision, folder, out)


def prefetch_adapter(hub: str, revision: str, folder: Path) -> None:
    """Bring an adapter from the Hub into a folder: adapter_model.safetensors and adapter_config.json, nothing else."""
    source = _download("classify.hub", hub, revision)
    check_adapter(source)
    read_adapter_config(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ADAPTER_FILES:
        with whole_file(folder / name) as temporary:
            shutil.copyfile(source / name, temporary)


def check_adapter(folder: Path) -> None:
    """Raise `UserError` unless `folder` holds an adapter in peft's layout, as safetensors."""
    for name in ADAPTER_FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: no {name} here; an adapter is a folder as peft writes it, with safetensors")


def _download(key: str, name: str, revision: str) -> Path:
    try:
        folder = snapshot_download(name, revision=revision, allow_patterns=WANTED, ignore_patterns=UNWANTED)
    except GatedRepoError as error:
        raise UserError(
            f"{key}: {name} is gated. Accept its licence on its Hub page, then put a read token of that account "
            "in the environment variable HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{key}: the Hub has no {name}, or your HF_TOKEN may not see it") from error
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{key}: {name} at {revision} is not on this machine and the Hub cannot be reached. Run "
            "`snakemake prefetch` where there is a network, or give a local copy as base.folder"
        ) from error
    except HfHubHTTPError as error:
        raise UserError(f"{key}: the Hub did not give {name} at {revision} ({error})") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"{key}: no space left for {name}; set HF_HOME to a larger disk") from error
        raise
    return Path(folder)


def check_folder(folder: Path) -> None:
    """Raise `UserError` unless `folder` holds a base that loads from safetensors alone, without code of its own."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no config.json here; a base is a folder in Hugging Face layout")
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder}: no *.safetensors here. Pickled weights are refused; convert them to safetensors first"
        )
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: no tokenizer here (looked for {', '.join(TOKENIZER_FILES)})")
    if (folder / ADAPTER_CONFIG).exists():
        raise UserError(
            f"{folder}: holds {ADAPTER_CONFIG}, so loading the base would add an adapter to it. Remove the adapter's "
            "files from the base's folder; an adapter goes into classify.folder"
        )
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            _check_config(folder / name)
    check_weights(folder)


def _check_config(path: Path) -> None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys = set(_keys_in(content))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({in_one_line(error)})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: is not a JSON object")
    if "auto_map" in keys:
        raise UserError(f"{path}: asks for code of its own (auto_map), which babelgrid never runs")
    if "transformers_weights" in keys:
        raise UserError(f"{path}: names weights of its own (transformers_weights); remove that key")


def _keys_in(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        yield from content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _keys_in(inner)
