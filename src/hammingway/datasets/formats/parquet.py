"""Parquet with one vector a row, as VectorDBBench stores them: ``id`` int64 and ``emb`` list of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.formats.base import FileFormat, Rows, Source, as_numbers, file_size
from hammingway.errors import FileFormatError, HammingwayError, InvalidInputError, MissingExtraError
from hammingway.suggest import did_you_mean

__all__ = ["DEFAULT_COLUMN", "FORMATS"]

DEFAULT_COLUMN = "emb"
_ID_COLUMN = "id"
_BATCH_BYTES = 1 << 23


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Reading and writing parquet files", "data") from error
    return pyarrow


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Give the open parquet file; whatever the library raises inside becomes one sentence."""
    pyarrow = _pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except HammingwayError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FileFormatError(f"{path} is not a readable parquet file: {reason}.") from error


def _open(path: Path, key: str | None) -> Source:
    file_size(path)
    with _opened(path) as file:
        column = _column(path, file.schema_arrow, key)
        n_rows = int(file.metadata.num_rows)
        first = _first_row(path, file, column)
    n_dims = None if first.ndim == 1 else first.shape[1]
    batch_rows = max(1, _BATCH_BYTES // first.nbytes)

    def chunks(chunk_rows: int) -> Iterator[NDArray[Any]]:
        done = 0
        with _opened(path) as reopened:
            for batch in _batches(reopened, column, min(chunk_rows, batch_rows)):
                chunk = _to_numpy(path, batch.column(0), column, done, n_dims)
                done += len(batch)
                if done > n_rows:
                    break
                yield chunk
        if done != n_rows:
            raise FileFormatError(f"{path} has a damaged footer: it says {n_rows} rows, and {done} were found.")

    return Source((n_rows, *first.shape[1:]), first.dtype, chunks)


def _batches(file: Any, column: str, n_rows: int) -> Iterator[Any]:
    """Yield batches of one row group after another: read all at once, Arrow's memory grows with the file."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=n_rows, row_groups=[group], columns=[column], use_threads=False)


def _column(path: Path, schema: Any, key: str | None) -> str:
    if key is not None:
        if key not in schema.names:
            raise InvalidInputError(f"{path} has no column {key!r}. {did_you_mean(key, schema.names)}")
        return key
    if DEFAULT_COLUMN in schema.names:
        return DEFAULT_COLUMN
    lists = [field.name for field in schema if _is_list(field.type)]
    if len(lists) != 1:
        raise InvalidInputError(
            f"{path} has {len(lists)} columns of vectors and none named {DEFAULT_COLUMN!r}; "
            f"name one of its columns ({', '.join(schema.names)}) by its key."
        )
    return str(lists[0])


def _is_list(kind: Any) -> bool:
    types = _pyarrow().types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _first_row(path: Path, file: Any, column: str) -> NDArray[Any]:
    """Return the first row, (1, d) or (1,), which tells the width of a list column."""
    for batch in file.iter_batches(batch_size=1, columns=[column]):
        if len(batch):
            return _to_numpy(path, batch.column(0), column, 0, None)
    raise FileFormatError(f"{path} holds no row, so the dimension of its vectors is unknown.")


def _to_numpy(path: Path, array: Any, column: str, start: int, n_dims: int | None) -> NDArray[Any]:
    """Return one batch as (m, d), or (m,) for a plain column; rows of another width than ``n_dims`` are an error."""
    _refuse_nulls(path, array, column, start)
    if not _is_list(array.type):
        return _numbers(path, array, column)
    values = array.flatten()
    _refuse_nulls(path, values, column, start)
    widths = np.asarray(array.value_lengths())
    expected = int(widths[0]) if n_dims is None else n_dims
    wrong = np.flatnonzero(widths != expected)
    if expected == 0 or len(wrong):
        row = int(wrong[0]) if len(wrong) else 0
        raise FileFormatError(
            f"{path}: row {start + row} of column {column!r} has {widths[row]} values, the first row has {expected}; "
            "every row must have the same number, at least 1."
        )
    return _numbers(path, values, column).reshape(len(array), expected)


def _refuse_nulls(path: Path, array: Any, column: str, start: int) -> None:
    if array.null_count:
        raise FileFormatError(
            f"{path}: column {column!r} has missing values at or after row {start}; fill or drop them."
        )


def _numbers(path: Path, array: Any, column: str) -> NDArray[Any]:
    types = _pyarrow().types
    if not (types.is_floating(array.type) or types.is_integer(array.type) or types.is_boolean(array.type)):
        raise FileFormatError(
            f"{path}: column {column!r} is of type {array.type}; numbers or lists of them are expected."
        )
    return as_numbers(np.asarray(array.to_numpy(zero_copy_only=False)), path)


def _write(path: Path, rows: Rows, key: str | None) -> None:
    pyarrow = _pyarrow()
    if key == _ID_COLUMN:
        raise InvalidInputError(
            f"{_ID_COLUMN!r} is the column of row numbers; name the column of vectors by another key."
        )
    kind = pyarrow.from_numpy_dtype(rows.dtype)
    schema = pyarrow.schema([(_ID_COLUMN, pyarrow.int64()), (key or DEFAULT_COLUMN, pyarrow.list_(kind))])
    start = 0
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for chunk in rows.chunks:
            ids = pyarrow.array(np.arange(start, start + len(chunk)))
            offsets = pyarrow.array(np.arange(0, chunk.size + 1, rows.n_dims, dtype=np.int32))
            lists = pyarrow.ListArray.from_arrays(offsets, pyarrow.array(chunk.reshape(-1), kind))
            writer.write_batch(pyarrow.record_batch([ids, lists], schema=schema))
            start += len(chunk)


FORMATS = (FileFormat("parquet", (".parquet",), _open, _write, magic=b"PAR1"),)
