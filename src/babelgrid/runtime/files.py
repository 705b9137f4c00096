"""Files that appear whole, and the record of where a result came from."""

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
"""The hidden folder beside CSV files that holds the rows and the digest of each."""
LOCK = ".lock"
"""The file in a temporary folder that its process keeps locked."""
_RANDOM = "[a-z0-9_]" * 8
"""What `tempfile` puts into a name."""


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    The content is on the disk before the name is. What a killed job has left of an earlier attempt is removed first.
    `UserError` if this job has been taken over by another process meanwhile (babelgrid.runtime.ownership).
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
    """Give a finished file its name, so that a power cut never leaves the name without the content.

    `UserError` if this job has been taken over by another process meanwhile.
    """
    with publishing():
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Bring a file or a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some shared file systems cannot do it for folders
            raise
    finally:
        os.close(handle)


def _remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove the temporary files and folders of this name whose process has ended: a living one holds a lock."""
    for leftover in folder.glob(pattern):
        held = leftover / LOCK if leftover.is_dir() else leftover
        with suppress(OSError):  # locked, or removed by another job: none of ours
            if held.exists():
                with held.open("rb+") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


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
    """Write a table as CSV: 6 decimals at most, so that the file is stable and readable.

    A text that a spreadsheet would run as a formula gets an apostrophe in front. A hidden file in the folder `.sums`
    beside the table records its rows, SHA-256, header and the columns that hold text, for `read_csv`. The old record
    goes before the table is replaced and the new one comes after, so that no table stands beside another one's record.
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
    """Return how to quote: where it is needed, or every text where one has a carriage return, which csv overlooks."""
    texts = chain(map(str, frame.columns), *(frame[name].dropna().map(str) for name in text_columns(frame)))
    return csv.QUOTE_NONNUMERIC if any("\r" in text for text in texts) else csv.QUOTE_MINIMAL


def read_csv(path: str | Path, text: Collection[str] = ()) -> pd.DataFrame:
    """Read a table that `write_csv` wrote: what was text is text again, an empty field is missing.

    text: columns that hold text in any case, for a table that was edited or made by hand. Such a table is taken as it
    is, with a line in the log. Raises `UserError` where the file cannot be read, has lost rows or a part of its last
    row, or lies where no table has a record of its rows.
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
    """Return what was recorded of a CSV, and whether the file is another one now.

    Raises `UserError` if rows are missing, or if nothing can be known about them.
    """
    record_path = _record_of(path)
    record: dict[str, Any] | None = read_json(record_path) if record_path.exists() else None
    if record and hashlib.sha256(content).hexdigest() == record["sha256"]:
        return record, False
    rows = _count_rows(path, content)
    if record is None and not record_path.parent.is_dir():
        raise UserError(
            f"{path}: nothing says how many rows it should have (no folder {record_path.parent}). It comes from an "
            f"older version, or was copied without that folder: delete it and run again, or copy the folder too"
        )
    if record is None:
        log.warning("%s: was not written by babelgrid, so nothing says how many rows it should have", path)
    elif rows < record["rows"] and content.startswith(record["header"].encode()):
        raise UserError(
            f"{path}: has {rows} rows, {record['rows']} were written. Delete it and run again; if you removed rows on "
            f"purpose, delete {record_path} instead"
        )
    else:
        log.warning("%s: was changed after it was written, and is used as it is", path)
    return record, True


def _count_rows(path: Path, content: bytes) -> int:
    """Return the rows below the header; `UserError` if the last one is not whole or one has another length."""
    if not content.endswith(b"\n"):
        raise UserError(f"{path}: ends in the middle of a row. Delete it and run again")
    lengths = [len(row) for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True) if row]
    for number, length in enumerate(lengths):
        if length != lengths[0]:
            raise UserError(
                f"{path}: row {number} has {length} fields, the header {lengths[0]}. Delete it and run again"
            )
    return len(lengths) - 1


def write_parquet(path: str | Path, frame: pd.DataFrame, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a table as Parquet, with its provenance (see `provenance`) in the file's metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if provenance is not None:
        metadata = {**(table.schema.metadata or {}), PROVENANCE_KEY: json.dumps(provenance).encode()}
        table = table.replace_schema_metadata(metadata)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table; one that is missing, cut or changed in any page is a `UserError` that names it."""
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

    The git commit, times and the machine are no part of it, as jobs depend on the bytes of results: they are in the
    records of usage and in the report. Paths are given from the working directory; of those outside of it the last part
    alone (babelgrid.runtime.places).
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
    """Return the commit of babelgrid's own checkout, or None where there is none."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() or None


def write_folder(path: str | Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole: `fill` writes into a temporary sibling, which then takes the name `path`.

    Files are on the disk before the folder has its name. What a killed job has left is removed first.
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
            _sync(file)
        with publishing():
            shutil.rmtree(path, ignore_errors=True)
            publish(folder, path)
