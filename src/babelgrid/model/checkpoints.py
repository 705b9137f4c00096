"""A training job's state on disk: one checkpoint, replaced whole by its owner alone, and read by its own run alone."""

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
    """The checkpoints of one (mixture, seed), owned by this job from here on until another job takes them over."""

    def __init__(self, folder: Path, fingerprint: Mapping[str, str]) -> None:
        """Take the folder over.

        fingerprint: by kind (data, config, code, versions, device), a digest of all of it that determines the result.
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
        """Where a checkpoint is written before it takes its place; each job has its own."""
        return self.folder / f"writing-{self._token['id']}"

    def check_owner(self) -> None:
        """Raise `UserError` if another job has taken over: what this one writes now would be against its successor."""
        owner = _read(self.folder / OWNER)
        if owner is None or owner.get("id") != self._token["id"]:
            successor = "a job that has ended" if owner is None else f"process {owner['pid']} on {owner['host']}"
            raise UserError(
                f"{self.folder}: {successor} has taken over this adapter since this job began, so this one stops and "
                "writes nothing. Nothing is lost; if no other job is at work, start again"
            )

    def save(self, step: int, write: Callable[[], None]) -> None:
        """Replace the checkpoint: `write` makes `writing`/checkpoint-<step>; the one before stays until it stands."""
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
        """Return the newest checkpoint that is whole and this run's own; remove the others, with a line in the log."""
        found = None
        for checkpoint in self._newest_first():
            wrong = self._what_is_wrong(checkpoint)
            if found is None and wrong is None:
                found = checkpoint
                continue
            if wrong:
                log.warning("%s is not used and removed: %s", checkpoint, wrong)
            shutil.rmtree(checkpoint)
        return found

    def remove(self) -> None:
        """Remove all, when the adapter is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Remove what jobs that were killed in the middle of writing have left."""
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
            return f"it is of other {', '.join(others)} than this run"
        for name, digest in manifest["files"].items():
            if not (checkpoint / name).is_file() or sha256(checkpoint / name) != digest:
                return f"{name} is damaged"
        return None


def digest(content: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of content that JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _sync(folder: Path) -> None:
    """Bring every file and folder to the disk, so that a name never outlives its content in a power cut."""
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
