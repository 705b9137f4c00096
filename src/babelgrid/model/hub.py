"""Download the base once, before any GPU job; all later jobs read local files only."""

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

# Weights only as safetensors, never as pickles, and no code.
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
    """Download the base if it is on the Hub, and write its name, revision, folder and SHA-256 of every file to `out`.

    lab_folder: folder of the base that the experiment pre-trained itself, or None.
    Raises `UserError` if the base is not available, if loading it would run third-party code, read a pickle or read
    outside the folder, or if a weight is not finite.
    """
    if lab_folder is not None:
        name, folder = "lab", lab_folder
    else:
        name, folder = find_model("base", settings.hub, settings.revision, settings.folder)
    check_folder(folder)
    record_base(name, settings.revision, folder, out)


def find_model(key: str, hub: str | None, revision: str | None, folder: str | None) -> tuple[str, Path]:
    """Return the name and the local folder of a pre-trained model; download it if it is on the Hub.

    key: the config block that names the model, for errors.
    """
    if hub:
        return hub, _download(f"{key}.hub", hub, str(revision))
    place = Path(str(folder)).expanduser()
    return Path(public_path(place)).name or key, place


def prefetch_adapter(hub: str, revision: str, folder: Path) -> None:
    """Download an adapter from the Hub to a folder: only adapter_model.safetensors and adapter_config.json."""
    source = _download("classify.hub", hub, revision)
    check_adapter(source)
    read_adapter_config(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ADAPTER_FILES:
        with whole_file(folder / name) as temporary:
            shutil.copyfile(source / name, temporary)


def check_adapter(folder: Path) -> None:
    """Raise `UserError` unless `folder` contains an adapter in peft's layout, as safetensors."""
    for name in ADAPTER_FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: contains no {name}; an adapter is a folder written by peft, with safetensors")


def _download(key: str, name: str, revision: str) -> Path:
    try:
        folder = snapshot_download(name, revision=revision, allow_patterns=WANTED, ignore_patterns=UNWANTED)
    except GatedRepoError as error:
        raise UserError(
            f"{key}: {name} is gated. Accept its licence on its Hub page, then set the environment variable "
            "HF_TOKEN to a read token of the account that accepted it"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{key}: {name} is not on the Hub, or your HF_TOKEN has no access to it") from error
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{key}: {name} at {revision} is not on this machine and the Hub cannot be reached. Run "
            "`snakemake prefetch` on a machine with network access, or set "
            f"{key.removesuffix('hub')}folder to a local copy"
        ) from error
    except HfHubHTTPError as error:
        raise UserError(f"{key}: the Hub did not return {name} at {revision} ({error})") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"{key}: no space left for {name}; set HF_HOME to a larger disk") from error
        raise
    return Path(folder)


def check_folder(folder: Path) -> None:
    """Raise `UserError` unless `folder` contains a base that loads from safetensors only, without custom code."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: contains no config.json; a base is a folder in Hugging Face layout")
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder}: contains no *.safetensors. Pickled weights are not supported; convert them to safetensors first"
        )
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: contains no tokenizer (looked for {', '.join(TOKENIZER_FILES)})")
    if (folder / ADAPTER_CONFIG).exists():
        raise UserError(
            f"{folder}: contains {ADAPTER_CONFIG}, so loading the base would add an adapter to it. Remove the "
            "adapter's files from the base's folder; set classify.folder to the adapter's own folder"
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
        raise UserError(f"{path}: requires custom code (auto_map), which babelgrid never runs")
    if "transformers_weights" in keys:
        raise UserError(f"{path}: names other weight files (transformers_weights); remove that key")


def _keys_in(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        yield from content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _keys_in(inner)
