"""Divide large files of an archive into parts of a fixed number of rows."""

from collections.abc import Mapping
from pathlib import Path

from babelgrid.posts.parquet import parquet_metadata
from babelgrid.posts.stream import file_kind, open_stream
from babelgrid.runtime.files import write_json


def divide_archive(shards: Mapping[str, Path], rows_per_job: int, out: Path) -> None:
    """Write the shard, first row and number of rows of each part as JSON; an empty file is one part."""
    parts = {}
    for name, path in shards.items():
        rows = _count_rows(path)
        for number, first in enumerate(range(0, max(rows, 1), rows_per_job)):
            parts[f"{name}.{number:05d}"] = {"shard": name, "first": first, "rows": min(rows_per_job, rows - first)}
    write_json(out, parts)


def _count_rows(path: Path) -> int:
    """Return the number of rows; in a text file, this includes rows that cannot be parsed."""
    if file_kind(path) == ".parquet":
        return int(parquet_metadata(path).num_rows)
    with open_stream(path, ()) as stream:
        return sum(1 for _ in stream.records)
