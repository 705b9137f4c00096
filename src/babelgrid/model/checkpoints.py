"""Training state on disk: one checkpoint, replaced atomically by its owner and resumed only by the same run."""

import hashlib
import json
import logging
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from babelgrid.runtime.files import publish, sha256, sync, write_json
from babelgrid.runtime.ownership import check_owner, publishing

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"


class Checkpoints:
    """Checkpoints of one (mixture, seed); only the owner of the running job (babelgrid.runtime.ownership) writes them.

    writing: folder where this job writes a checkpoint before moving it into place; each job has its own.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, str]) -> None:
        """Take the folder of a job's checkpoints.

        fingerprint: a digest of everything that determines the result, by kind (data, config, code, versions, device).
        """
        self.folder = folder
        self.fingerprint = dict(fingerprint)
        self.writing = folder / f"writing-{uuid.uuid4().hex}"

    def save(self, step: int, write: Callable[[], None]) -> None:
        """Replace the checkpoint once `write` has created `writing`/checkpoint-<step>; keep the old one until then."""
        check_owner()
        made = self.writing / f"checkpoint-{step}"
        shutil.rmtree(made, ignore_errors=True)
        write()
        files = {path.relative_to(made).as_posix(): sha256(path) for path in sorted(made.rglob("*")) if path.is_file()}
        write_json(made / MANIFEST, {"fingerprint": self.fingerprint, "files": files})
        for path in made.rglob("*"):
            sync(path)
        place = self.folder / made.name
        with publishing():
            shutil.rmtree(place, ignore_errors=True)
            publish(made, place)
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
        for path in self.folder.glob("*"):
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
