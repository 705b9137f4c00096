"""Write and read complete files, and record the provenance of results."""

import csv
import errno
import fcntl
import glob
import hashlib
import io
import json
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from babelgrid.errors import UserError
from babelgrid.runtime.ownership import lock, publishing
from babelgrid.runtime.places import public_paths, public_settings
from babelgrid.runtime.spreadsheet import defuse, defuse_frame, restore_frame, text_columns

log = logging.getLogger(__name__)

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

SUMS = ".sums"
"""Hidden folder beside CSV files that stores the number of rows and the digest of each."""
LOCK = ".lock"
"""File in a temporary folder that the folder's process keeps locked."""
_RANDOM = "[a-z0-9_]" * 8
"""Pattern of the random part that `tempfile` puts into a name."""


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    The content is flushed to disk before the rename. Leftovers of an earlier attempt that was killed are removed first.
    Raises `UserError` if another process has taken over this job in the meantime (babelgrid.runtime.ownership).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent, f".{glob.escape(path.stem)}.{_RANDOM}{glob.escape(path.suffix)}")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    temporary = Path(name)
    with os.fdopen(handle, "rb") as stream:
        lock(stream, fcntl.LOCK_EX)
        try:
            yield temporary
            temporary.chmod(0o644)
            publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Rename a finished file to its final name; a power cut never leaves the name without the content.

    Raises `UserError` if another process has taken over this job in the meantime.
    """
    with publishing():
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some shared file systems cannot sync folders
            raise
    finally:
        os.close(handle)


def _remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove matching temporary files and folders whose process has ended; a running process locks its own."""
    for leftover in folder.glob(pattern):
        held = leftover / LOCK if leftover.is_dir() else leftover
        with suppress(OSError):  # locked, or already removed by another job: leave it alone
            if held.exists():
                with held.open("rb+") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text to a file that appears only when it is complete."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, content: Any) -> None:
    """Write indented JSON with the keys in the given order."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; raise a `UserError` that names the file if it is broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}). Delete it and run again.") from error


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV with at most 6 decimals, to keep the file stable and readable.

    A text that a spreadsheet would run as a formula is prefixed with an apostrophe. A hidden file in the folder `.sums`
    beside the table records its number of rows, SHA-256, header and text columns, for `read_csv`. The old record is
    deleted before the table is replaced and the new one is written afterwards, so a table never has the wrong record.
    """
    path = Path(path)
    record = _record_of(path)
    record.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        safe = defuse_frame(frame)
        safe.to_csv(temporary, index=False, float_format=_short, quoting=_quoting(safe))
        with temporary.open(encoding="utf-8", newline="") as stream:
            header = stream.readline()
        content = {"rows": len(frame), "sha256": sha256(temporary), "header": header, "text": text_columns(frame)}
        with publishing():
            record.unlink(missing_ok=True)
    write_json(record, content)


def _short(value: object) -> str:
    text = f"{value:.6f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quoting(frame: pd.DataFrame) -> Literal[0, 2]:
    """Return the quoting mode: minimal, or all texts if any contains a carriage return, which csv fails to quote."""
    texts = chain(map(str, frame.columns), *(frame[name].dropna().map(str) for name in text_columns(frame)))
    return csv.QUOTE_NONNUMERIC if any("\r" in text for text in texts) else csv.QUOTE_MINIMAL


def read_csv(path: str | Path, text: Collection[str] = ()) -> pd.DataFrame:
    """Read a table that `write_csv` wrote: text columns are restored as text, empty fields are missing values.

    text: columns to read as text in any case, for a table that was edited or made by hand. Such a table is accepted as
    it is, with a line in the log. Raises `UserError` if the file cannot be read, has lost rows or part of its last row,
    or is in a folder without any record of rows.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        record, is_edited = _check_whole(path, content)
        names = {*text, *(record["text"] if record else ())}
        frame = pd.read_csv(
            io.BytesIO(content),
            dtype={str(defuse(name)): "str" for name in names},
            keep_default_na=False,
            na_values=[""],
            skip_blank_lines=is_edited,
        )
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}). Delete it and run again.") from error
    return restore_frame(frame)


def _record_of(path: Path) -> Path:
    return path.parent / SUMS / f"{path.name}.json"


def _check_whole(path: Path, content: bytes) -> tuple[dict[str, Any] | None, bool]:
    """Return the record of a CSV, and whether the file has changed since it was recorded.

    Raises `UserError` if rows are missing, or if this cannot be checked.
    """
    record_path = _record_of(path)
    record: dict[str, Any] | None = read_json(record_path) if record_path.exists() else None
    if record and hashlib.sha256(content).hexdigest() == record["sha256"]:
        return record, False
    rows = _count_rows(path, content)
    if record is None and not record_path.parent.is_dir():
        raise UserError(
            f"{path}: the number of rows cannot be checked (no folder {record_path.parent}). The file comes from an "
            f"older version, or was copied without that folder: delete it and run again, or copy the folder too"
        )
    if record is None:
        log.warning("%s: was not written by babelgrid, so the number of rows cannot be checked", path)
    elif rows < record["rows"] and content.startswith(record["header"].encode()):
        raise UserError(
            f"{path}: has {rows} rows, but {record['rows']} were written. Delete it and run again; if you removed rows "
            f"on purpose, delete {record_path} instead"
        )
    else:
        log.warning("%s: was changed after it was written; it is used as it is", path)
    return record, True


def _count_rows(path: Path, content: bytes) -> int:
    """Return the number of rows below the header; `UserError` if the last is incomplete or a row's length differs."""
    if not content.endswith(b"\n"):
        raise UserError(f"{path}: ends in the middle of a row. Delete it and run again")
    lengths = [len(row) for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True) if row]
    for number, length in enumerate(lengths):
        if length != lengths[0]:
            raise UserError(
                f"{path}: row {number} has {length} fields, the header has {lengths[0]}. Delete it and run again"
            )
    return len(lengths) - 1


def write_parquet(path: str | Path, frame: pd.DataFrame, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a table as Parquet and store its provenance (see `provenance`) in the file's metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if provenance is not None:
        metadata = {**(table.schema.metadata or {}), PROVENANCE_KEY: json.dumps(provenance).encode()}
        table = table.replace_schema_metadata(metadata)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table; raise a `UserError` that names it if it is missing, truncated or changed in any page."""
    try:
        return pd.read_parquet(path, columns=list(columns) if columns else None, page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({error}). Delete it and run again.") from error


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def provenance(settings: Mapping[str, Any], inputs: Sequence[str | Path]) -> dict[str, Any]:
    """Describe where a result comes from: settings of the stage, versions, hashes of inputs.

    The git commit, times and the machine are left out, because jobs depend on the bytes of results; they are in the
    usage records and in the report. Paths are relative to the working directory; paths outside of it are cut to their
    last part (babelgrid.runtime.places).
    """
    return {
        "settings": public_settings(settings),
        "versions": {"python": platform.python_version(), **_installed_versions()},
        "inputs": {name: sha256(path) for path, name in public_paths(inputs).items()},
    }


def _installed_versions() -> dict[str, str]:
    found = {}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Return the commit of babelgrid's own checkout, or None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() or None


def write_folder(path: str | Path, fill: Callable[[Path], None]) -> None:
    """Write a complete folder: `fill` writes into a temporary sibling, which is then renamed to `path`.

    Files are flushed to disk before the rename. Leftovers of a killed job are removed first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent, f".{glob.escape(path.name)}.{_RANDOM}")
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as parent,
        (Path(parent) / LOCK).open("wb") as stream,
    ):
        lock(stream, fcntl.LOCK_EX)
        folder = Path(parent) / path.name
        folder.mkdir()
        fill(folder)
        for file in folder.rglob("*"):
            if file.is_file():
                file.chmod(0o644)
            sync(file)
        with publishing():
            shutil.rmtree(path, ignore_errors=True)
            publish(folder, path)
