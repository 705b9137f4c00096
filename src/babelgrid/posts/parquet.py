"""Read the rows of a Parquet file a few thousand at a time."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from babelgrid.errors import UserError
from babelgrid.posts.formats import BROKEN_TEXT, MAX_CHARACTERS_OF_A_ROW, TOO_LONG, Record
from babelgrid.posts.rejects import Reason
from babelgrid.spelling import respelled

MAX_ROWS_AT_ONCE = 8192
BYTES_AT_ONCE = 64 * 2**20


@contextmanager
def open_parquet(path: Path, wanted: Collection[str]) -> Iterator[tuple[list[str], Iterator[Record], int]]:
    """Open a Parquet file: yield its column names, its rows with the `wanted` columns, and the number of rows."""
    # Without a buffer size, the reader loads a whole column of a row group into memory.
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            columns = file.schema_arrow.names
            chosen = [name for name, known in zip(columns, respelled(columns, wanted), strict=True) if known in wanted]
            batches = file.iter_batches(_rows_at_once(file.metadata), columns=chosen)
            yield (
                columns,
                records_of_tables(map(pa.Table.from_batches, ([batch] for batch in batches))),
                file.metadata.num_rows,
            )
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def parquet_metadata(path: Path) -> pq.FileMetaData:
    """Return the metadata in the footer of a Parquet file; `UserError` if it cannot be read."""
    try:
        return pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def records_of_tables(tables: Iterator[pa.Table]) -> Iterator[Record]:
    """Yield the rows of Arrow tables, numbered consecutively from 1 across tables."""
    number = 0
    for table in tables:
        values = {name: list(python_values(table[name])) for name in table.column_names}
        for row in range(table.num_rows):
            number += 1
            yield _bounded(Record(number, {name: column[row] for name, column in values.items()}))


def python_values(column: pa.ChunkedArray) -> Iterator[Any]:
    """Yield a column's values, with bytes that are not UTF-8 as surrogates (Parquet does not validate its strings)."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        encoded = column.cast(pa.binary_view() if pa.types.is_string_view(column.type) else pa.large_binary())
        for value in encoded.to_pylist():
            yield None if value is None else value.decode("utf-8", "surrogateescape")
    elif pa.types.is_float16(column.type) or pa.types.is_float32(column.type):
        # Keep the type: as float64, 2.1 would become 2.0999999046325684, and a rounded identifier would look exact.
        kind = column.type.to_pandas_dtype()
        yield from (None if value is None else kind(value) for value in column.to_pylist())
    else:
        yield from (_python_value(scalar) for scalar in column)


def _python_value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:  # a string inside a list or a record
        return BROKEN_TEXT


def _bounded(record: Record) -> Record:
    size = sum(len(value) for value in record.values.values() if isinstance(value, str | bytes))
    if size <= MAX_CHARACTERS_OF_A_ROW:
        return record
    return replace(record, values={}, broken=Reason.BROKEN_RECORD, explanation=f", {TOO_LONG}")


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Return how many rows to read at once: fewer if rows are long."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return min(MAX_ROWS_AT_ONCE, max(int(BYTES_AT_ONCE / max(longest, 1.0)), 1))
