"""fvecs, ivecs and bvecs: each row is a little-endian int32 d followed by d values; no header."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.formats.base import (
    CHUNK_BYTES,
    FileFormat,
    Rows,
    Source,
    file_size,
    refuse_key,
    source_of_array,
)
from hammingway.errors import FileFormatError, ShapeError
from hammingway.progress import row_chunks

__all__ = ["FORMATS"]

_DIMENSION = np.dtype("<i4")


def _open(path: Path, key: str | None, *, dtype: np.dtype[Any]) -> Source:
    refuse_key(path, key)
    size = file_size(path)
    if size < _DIMENSION.itemsize:
        raise FileFormatError(f"{path} has {size} bytes; a file of {path.suffix[1:]} rows has at least one row.")
    with path.open("rb") as file:
        n_dims = int.from_bytes(file.read(_DIMENSION.itemsize), "little", signed=True)
    if n_dims < 1:
        raise FileFormatError(f"{path} says that its first row has {n_dims} dimensions; at least 1 is expected.")
    row_bytes = _DIMENSION.itemsize + n_dims * dtype.itemsize
    if size % row_bytes:
        raise FileFormatError(
            f"{path} has {size} bytes, which is not a whole number of rows of {row_bytes} bytes "
            f"(its first row says {n_dims} dimensions): it is truncated or of another format."
        )
    raw = np.memmap(path, np.uint8, "r", shape=(size // row_bytes, row_bytes))
    _check_dimensions(raw, n_dims, path)
    return source_of_array(raw[:, _DIMENSION.itemsize :].view(dtype))


def _check_dimensions(raw: NDArray[np.uint8], n_dims: int, path: Path) -> None:
    """Raise unless every row says ``n_dims``: one wrong row shifts the meaning of all that follow."""
    for rows in row_chunks(len(raw), max(1, CHUNK_BYTES // raw.shape[1])):
        said = np.ascontiguousarray(raw[rows, : _DIMENSION.itemsize]).view(_DIMENSION)[:, 0]
        wrong = np.flatnonzero(said != n_dims)
        if len(wrong):
            raise FileFormatError(
                f"{path}: row {rows.start + wrong[0]} says {said[wrong[0]]} dimensions, row 0 says {n_dims}; "
                "all rows must have the same, so the file is damaged or of another format."
            )


def _write(path: Path, rows: Rows, key: str | None) -> None:
    refuse_key(path, key)
    record = np.dtype([("n_dims", _DIMENSION), ("values", rows.dtype, (rows.n_dims,))])
    n_written = 0
    with path.open("wb") as file:
        for chunk in rows.chunks:
            records = np.empty(len(chunk), record)
            records["n_dims"] = rows.n_dims
            records["values"] = chunk
            file.write(records.data)
            n_written += len(chunk)
    if not n_written:
        raise ShapeError(
            "A file of vecs rows cannot be empty: it has no header to say the dimensions; use npy or fbin."
        )


def _format(name: str, dtype: np.dtype[Any]) -> FileFormat:
    return FileFormat(name, (f".{name}",), partial(_open, dtype=dtype), _write, dtype)


FORMATS = (
    _format("fvecs", np.dtype("<f4")),
    _format("ivecs", np.dtype("<i4")),
    _format("bvecs", np.dtype("u1")),
)
