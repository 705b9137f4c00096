"""Files that appear whole, and the record of where a result came from."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from babelgrid.errors import UserError
from babelgrid.fence import publishing

PROVENANCE_KEY = b"babelgrid"
RECORDED_PACKAGES = (
    "babelgrid",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "bitsandbytes",
    "tokenizers",
    "pandas",
    "scikit-learn",
)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    `UserError` if this job has been taken over by another process meanwhile (babelgrid.fence).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        with publishing():
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text as a whole file."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, content: Any) -> None:
    """Write readable JSON, keys in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; a broken one is a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}). Delete it and run again.") from error


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV: 6 decimals at most, so that the file is stable and readable."""
    with whole_file(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=lambda value: f"{value:.6f}".rstrip("0").rstrip("."))


def write_parquet(path: str | Path, frame: pd.DataFrame, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a table as Parquet, with its provenance (see `provenance`) in the file's metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if provenance is not None:
        metadata = {**(table.schema.metadata or {}), PROVENANCE_KEY: json.dumps(provenance).encode()}
        table = table.replace_schema_metadata(metadata)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary)


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table; a missing or broken one is a `UserError` that names it."""
    try:
        return pd.read_parquet(path, columns=list(columns) if columns else None)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({error}). Delete it and run again.") from error


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def provenance(settings: Mapping[str, Any], inputs: Sequence[str | Path]) -> dict[str, Any]:
    """Describe where a result comes from: settings of the stage, versions, git commit, hashes of inputs."""
    return {
        "settings": dict(settings),
        "versions": {"python": platform.python_version(), **_installed_versions()},
        "git_commit": _git_commit(),
        "inputs": {str(path): sha256(path) for path in inputs},
    }


def _installed_versions() -> dict[str, str]:
    found = {}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() or None


def write_folder(path: str | Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole: `fill` writes into a temporary sibling, which then takes the name `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as parent:
        folder = Path(parent) / path.name
        folder.mkdir()
        fill(folder)
        for file in folder.rglob("*"):
            if file.is_file():
                file.chmod(0o644)
        with publishing():
            shutil.rmtree(path, ignore_errors=True)
            folder.replace(path)
