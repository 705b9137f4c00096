"""Download the base once, before any GPU job; all later jobs read local files only."""

import errno
import json
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from babelgrid.base_files import ADAPTER_CONFIG, GGUF_RECORD, record_base
from babelgrid.config.base import Base
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.adapter_config import read_adapter_config
from babelgrid.model.weights import check_weights
from babelgrid.runtime.files import read_json, sha256, whole_file
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
SHA256 = re.compile(r"[0-9a-f]{64}")


def prefetch_base(settings: Base, made: Path | None, out: Path) -> None:
    """Download the base if it is on the Hub, and write its name, forward path and SHA-256 of every file to `out`.

    made: folder of the base that the experiment pre-trained itself or converted from GGUF, or None.
    Raises `UserError` if the base is not available, if loading it would run third-party code, read a pickle or read
    outside the folder, if a weight is not finite, or if no forward path works for its type.
    """
    from babelgrid.model.base_types import judge_base  # loads transformers, which adapters do not need

    if made is not None:
        name, folder = "lab" if settings.lab else str(read_json(made / GGUF_RECORD)["file"]), made
    else:
        name, folder = find_model("base", settings.hub, settings.revision, settings.folder)
    check_folder(folder)
    forward = judge_base(folder)
    log.info("%s: forward path %r", name, forward)
    # A GGUF's revision is in its own record: the converted folder cannot be loaded from the Hub by name and revision.
    record_base(name, settings.revision if settings.hub else None, folder, out, forward)


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


def download_file(key: str, name: str, revision: str) -> Path:
    """Return the local path of one file of a repository on the Hub, downloaded if it is not there yet.

    key: config key, for messages. name: `owner/repository/file`. Raises `UserError` if the file is not available, or
    is not the one that the repository lists at this revision.
    """
    owner, repository, inside = name.split("/", 2)
    with _explained(key, name, revision):
        path = Path(hf_hub_download(f"{owner}/{repository}", inside, revision=revision))
    # In the Hub's cache, a large file is stored under the SHA-256 that the repository lists for it.
    listed = path.resolve().name
    if SHA256.fullmatch(listed) and sha256(path) != listed:
        raise UserError(f"{key}: {path} is damaged (its SHA-256 is not {listed}). Delete it and run again")
    return path


def _download(key: str, name: str, revision: str) -> Path:
    with _explained(key, name, revision):
        return Path(snapshot_download(name, revision=revision, allow_patterns=WANTED, ignore_patterns=UNWANTED))


@contextmanager
def _explained(key: str, name: str, revision: str) -> Iterator[None]:
    """Turn the errors of the Hub's library into a `UserError`."""
    try:
        yield
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
    except EntryNotFoundError as error:
        raise UserError(f"{key}: there is no {name} at {revision}; correct the file's name or the revision") from error
    except HfHubHTTPError as error:
        raise UserError(f"{key}: the Hub did not return {name} at {revision} ({error})") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"{key}: no space left for {name}; set HF_HOME to a larger disk") from error
        raise


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
