"""Record the checksums of the base's files in base.json, and check that jobs load the same files."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType
from typing import Any

from babelgrid.errors import UserError
from babelgrid.runtime.files import read_json, sha256, write_json

log = logging.getLogger(__name__)

WEIGHTS = "*.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
GGUF_RECORD = "gguf.json"
"""File in the folder of a base that was converted from GGUF: the source, and how its weights were rounded."""
TOKENIZER = ("*.json", "*.model", "*.jinja", "*.tiktoken", "tokenizer*", "vocab*", "merges*")
"""Files that a tokenizer may be loaded from; transformers reads several *.json files to choose its class."""
STAMPS = ".stamps.json"


def record_base(
    name: str,
    revision: str | None,
    folder: Path,
    out: Path,
    forward: str = "thin",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write base.json: the base's name, revision, folder and first forward path, and the SHA-256 of its files.

    For a base that was converted from GGUF, it also contains the folder's record of the conversion, under `gguf`.
    more: further entries, for the record of an encoder.

    Sizes and times of the files are written to `base.stamps.json` next to base.json, so jobs need not hash the base
    again. They are separate because base.json is part of every result's provenance and must depend on content only.
    """
    stamps = {path.name: _stamped(path) for path in _files_in(folder)}
    checksums = {name: stamp["sha256"] for name, stamp in stamps.items()}
    record = {"name": name, "revision": revision, "folder": str(folder), "forward": forward, "sha256": checksums}
    if GGUF_RECORD in stamps:
        record["gguf"] = read_json(folder / GGUF_RECORD)
    write_json(out, record | dict(more))
    write_json(out.with_suffix(STAMPS), stamps)


def base_folder(base_path: str | Path, *, tokenizer_only: bool = False) -> Path:
    """Return the base's folder after checking that its files match base.json.

    A file whose size and times are unchanged since an earlier check is not read again; all others are hashed.
    tokenizer_only: skip the weights, for jobs that do not load them.
    Raises `UserError` if a file is missing, new or changed.
    """
    base_path = Path(base_path)
    record = read_base(base_path)
    folder = Path(record["folder"])
    patterns = TOKENIZER if tokenizer_only else (*TOKENIZER, WEIGHTS)
    found = {path.name: path for path in _files_in(folder) if _matches(path.name, patterns)}
    recorded = {name: digest for name, digest in record["sha256"].items() if _matches(name, patterns)}
    for name in sorted(found.keys() ^ recorded.keys()):
        state = "is missing" if name in recorded else "was added"
        raise _changed(folder / name, state, base_path)
    _check_contents(found, recorded, base_path)
    return folder


def read_base(base_path: str | Path) -> dict[str, Any]:
    """Return the content of base.json; raise `UserError` if it is incomplete."""
    record = read_json(base_path)
    if (
        not isinstance(record, dict)
        or not isinstance(record.get("sha256"), dict)
        or not {"folder", "forward"} <= record.keys()
    ):
        raise UserError(
            f"{base_path}: lacks the folder, forward path or checksums of the base. Delete it and run again"
        )
    return record


def weights_digest(record: Mapping[str, Any]) -> str:
    """Return a SHA-256 that identifies the base's weights, computed from the content of base.json."""
    weights = {name: digest for name, digest in record["sha256"].items() if fnmatch(name, WEIGHTS)}
    return hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()


def _check_contents(found: Mapping[str, Path], recorded: Mapping[str, str], base_path: Path) -> None:
    stamps = _read_stamps(base_path)
    known = dict(stamps)
    for name, path in found.items():
        stamp = known.get(name)
        if not isinstance(stamp, dict) or _times(path) != {key: stamp.get(key) for key in _times(path)}:
            log.info("%s: size or times are new, so the file is hashed", path)
            known[name] = stamp = _stamped(path)
        if stamp.get("sha256") != recorded[name]:
            raise _changed(path, "has changed", base_path)
    if known != stamps:
        with suppress(OSError):  # if the results folder is read-only, the next job hashes again
            write_json(base_path.with_suffix(STAMPS), known)


def _read_stamps(base_path: Path) -> dict[str, Any]:
    try:
        stamps = json.loads(base_path.with_suffix(STAMPS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _stamped(path: Path) -> dict[str, Any]:
    """Return a file's size and times, taken before reading it, and its SHA-256."""
    return {**_times(path), "sha256": sha256(path)}


def _times(path: Path) -> dict[str, int]:
    # Include the inode change time: a copy can preserve the modification time, but not this one.
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}


def _files_in(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: the base's folder does not exist")
    return (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _changed(path: Path, state: str, base_path: Path) -> UserError:
    return UserError(
        f"{path}: {state} since {base_path} was written. Restore the base's files. To use the base as it is now, "
        f"delete {base_path} and run again; every adapter is then trained again"
    )
