"""Training state on disk: one checkpoint, replaced atomically by its owner and resumed only by the same run."""

import hashlib
import json
import logging
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babelgrid.errors import UserError
from babelgrid.runtime.files import sha256, write_json

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
OWNER = "owner.json"


class Checkpoints:
    """Checkpoints of one (mixture, seed), owned by this job until another job takes them over."""

    def __init__(self, folder: Path, fingerprint: Mapping[str, str]) -> None:
        """Take ownership of the folder.

        fingerprint: a digest of everything that determines the result, by kind (data, config, code, versions, device).
        """
        self.folder = folder
        self.fingerprint = dict(fingerprint)
        self._token = {
            "id": uuid.uuid4().hex,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(folder / OWNER, self._token)

    @property
    def writing(self) -> Path:
        """Folder where this job writes a checkpoint before moving it into place; each job has its own."""
        return self.folder / f"writing-{self._token['id']}"

    def check_owner(self) -> None:
        """Raise `UserError` if another job has taken over, to avoid overwriting that job's files."""
        owner = _read(self.folder / OWNER)
        if owner is None or owner.get("id") != self._token["id"]:
            successor = "a job that has ended" if owner is None else f"process {owner['pid']} on {owner['host']}"
            raise UserError(
                f"{self.folder}: {successor} has taken over this adapter since this job began, so this job stops "
                "without writing. No work is lost; if no other job is running, run again"
            )

    def save(self, step: int, write: Callable[[], None]) -> None:
        """Replace the checkpoint once `write` has created `writing`/checkpoint-<step>; keep the old one until then."""
        self.check_owner()
        made = self.writing / f"checkpoint-{step}"
        shutil.rmtree(made, ignore_errors=True)
        write()
        files = {path.relative_to(made).as_posix(): sha256(path) for path in sorted(made.rglob("*")) if path.is_file()}
        write_json(made / MANIFEST, {"fingerprint": self.fingerprint, "files": files})
        _sync(made)
        self.check_owner()
        place = self.folder / made.name
        shutil.rmtree(place, ignore_errors=True)
        made.replace(place)
        _sync_folder(self.folder)
        for older in self._newest_first():
            if older != place:
                shutil.rmtree(older, ignore_errors=True)

    def last(self) -> Path | None:
        """Return the newest complete checkpoint of this run; remove all others, and log why any is unusable."""
        found = None
        for checkpoint in self._newest_first():
            wrong = self._what_is_wrong(checkpoint)
            if found is None and wrong is None:
                found = checkpoint
                continue
            if wrong:
                log.warning("%s cannot be used and is removed: %s", checkpoint, wrong)
            shutil.rmtree(checkpoint)
        return found

    def remove(self) -> None:
        """Remove all checkpoints, once the adapter is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Remove files left by jobs that were killed while writing a checkpoint."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.name.startswith("checkpoint-"):
                shutil.rmtree(path, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True)

    def _what_is_wrong(self, checkpoint: Path) -> str | None:
        manifest = _read(checkpoint / MANIFEST)
        if manifest is None or not {"fingerprint", "files"} <= set(manifest):
            return "its manifest is missing or damaged"
        kinds = self.fingerprint.keys() | manifest["fingerprint"].keys()
        others = sorted(kind for kind in kinds if self.fingerprint.get(kind) != manifest["fingerprint"].get(kind))
        if others:
            return f"it differs from this run in: {', '.join(others)}"
        for name, digest in manifest["files"].items():
            if not (checkpoint / name).is_file() or sha256(checkpoint / name) != digest:
                return f"{name} is damaged"
        return None


def digest(content: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of JSON-serialisable content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _sync(folder: Path) -> None:
    """Flush every file and folder to disk, so that after a power cut no file name exists without its content."""
    for path in _all_within(folder):
        _sync_folder(path)


def _all_within(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*")
    yield folder


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
