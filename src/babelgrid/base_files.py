"""The files of the base: what was hashed when base.json was written is what a job loads."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from babelgrid.errors import UserError
from babelgrid.runtime.files import read_json, sha256, write_json

log = logging.getLogger(__name__)

WEIGHTS = "*.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
TOKENIZER = ("*.json", "*.model", "*.jinja", "*.tiktoken", "tokenizer*", "vocab*", "merges*")
"""Files that a tokenizer may be read from; transformers looks at several *.json files to choose its class."""
STAMPS = ".stamps.json"


def record_base(name: str, revision: str | None, folder: Path, out: Path) -> None:
    """Write base.json: the base's name, its revision, its folder, and the SHA-256 of every file in the folder.

    Sizes and times of the files go into `base.stamps.json` beside it. They save hashing the base again in each job, and
    are kept apart because they say nothing about the content: base.json is part of every result's provenance.
    """
    stamps = {path.name: _stamped(path) for path in _files_in(folder)}
    checksums = {name: stamp["sha256"] for name, stamp in stamps.items()}
    write_json(out, {"name": name, "revision": revision, "folder": str(folder), "sha256": checksums})
    write_json(out.with_suffix(STAMPS), stamps)


def base_folder(base_path: str | Path, *, tokenizer_only: bool = False) -> Path:
    """Return the base's folder after checking that its files are those that base.json records.

    A file whose size and times are known from an earlier check is not read again; any other is hashed.
    tokenizer_only: leave out the weights, for jobs that do not load them.
    Raises `UserError` where a file is missing, new or has another content.
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
    """Return what base.json records; `UserError` where it is not complete."""
    record = read_json(base_path)
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), dict) or "folder" not in record:
        raise UserError(f"{base_path}: has no folder or no checksums of the base. Delete it and run again")
    return record


def weights_digest(record: Mapping[str, Any]) -> str:
    """Return a SHA-256 that identifies the base's weights, from the record in base.json."""
    weights = {name: digest for name, digest in record["sha256"].items() if fnmatch(name, WEIGHTS)}
    return hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()


def _check_contents(found: Mapping[str, Path], recorded: Mapping[str, str], base_path: Path) -> None:
    stamps = _read_stamps(base_path)
    known = dict(stamps)
    for name, path in found.items():
        stamp = known.get(name)
        if not isinstance(stamp, dict) or _times(path) != {key: stamp.get(key) for key in _times(path)}:
            log.info("%s: its size or times are new, so it is hashed", path)
            known[name] = stamp = _stamped(path)
        if stamp.get("sha256") != recorded[name]:
            raise _changed(path, "has changed", base_path)
    if known != stamps:
        with suppress(OSError):  # where the results cannot be written, the next job hashes again
            write_json(base_path.with_suffix(STAMPS), known)


def _read_stamps(base_path: Path) -> dict[str, Any]:
    try:
        stamps = json.loads(base_path.with_suffix(STAMPS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _stamped(path: Path) -> dict[str, Any]:
    """Return a file's size and times, taken before it is read, with its SHA-256."""
    return {**_times(path), "sha256": sha256(path)}


def _times(path: Path) -> dict[str, int]:
    # The time of the last change of the inode too: a copy that keeps the modification time cannot keep this one.
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}


def _files_in(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: the base's folder is not there")
    return (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _changed(path: Path, state: str, base_path: Path) -> UserError:
    return UserError(
        f"{path}: {state} since {base_path} was written. Restore the base's files; to take the base as it is now, "
        f"delete {base_path} and run again, and every adapter is trained again"
    )
