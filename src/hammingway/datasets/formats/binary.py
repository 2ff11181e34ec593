"""fbin, f16bin, u8bin, i8bin and ibin of the big-ann benchmarks: uint32 n, uint32 d, then n rows of d values.

A big-ann file of true neighbours also ends in ``.ibin`` (or ``.gt100``) and starts with the same
header, but holds n rows of k int32 ids and then n rows of k float32 distances. Only its size tells.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.formats.base import FileFormat, Rows, Source, file_size, refuse_key, source_of_array
from hammingway.errors import FileFormatError, InvalidInputError

__all__ = ["FORMATS", "HEADER_BYTES", "TRUTH", "holds_distances", "is_truth_name", "write_truth"]

HEADER_BYTES = 8
_INT32 = np.dtype("<i4")
_FLOAT32 = np.dtype("<f4")
_TRUTH_NAME = re.compile(r"\.(ibin|gt\d+)$", re.IGNORECASE)
_MAX_COUNT = 2**32 - 1


def is_truth_name(path: Path) -> bool:
    """Whether a file of this name may hold true neighbours: ``.ibin`` or ``.gt100``."""
    return _TRUTH_NAME.search(path.name) is not None


def holds_distances(path: Path) -> bool:
    """Whether an ibin file is as long as ids followed by distances are."""
    size = file_size(path)
    n_rows, n_columns = _header(path, size)
    count = n_rows * n_columns
    return count > 0 and size == HEADER_BYTES + count * (_INT32.itemsize + _FLOAT32.itemsize)


def _header(path: Path, size: int) -> tuple[int, int]:
    if size < HEADER_BYTES:
        raise FileFormatError(f"{path} has {size} bytes; its header alone (rows, dimensions) takes {HEADER_BYTES}.")
    with path.open("rb") as file:
        n_rows, n_columns = np.frombuffer(file.read(HEADER_BYTES), "<u4").tolist()
    if n_columns == 0:
        raise FileFormatError(f"{path} says that its rows have 0 dimensions; at least 1 is expected.")
    return n_rows, n_columns


def _open(path: Path, key: str | None, *, dtype: np.dtype[Any]) -> Source:
    refuse_key(path, key)
    size = file_size(path)
    n_rows, n_columns = _header(path, size)
    expected = HEADER_BYTES + n_rows * n_columns * dtype.itemsize
    if size != expected:
        raise FileFormatError(
            f"{path} has {size} bytes; its header says {n_rows} rows of {n_columns} {dtype.name} values, which take "
            f"{expected}: it is truncated, or of another format."
        )
    return source_of_array(_map(path, dtype, HEADER_BYTES, (n_rows, n_columns)))


def _open_truth(path: Path, key: str | None) -> Source:
    size = file_size(path)
    shape = _header(path, size)
    expected = HEADER_BYTES + shape[0] * shape[1] * (_INT32.itemsize + _FLOAT32.itemsize)
    if size != expected:
        raise FileFormatError(
            f"{path} has {size} bytes; its header says {shape[0]} queries of {shape[1]} neighbours, whose ids and "
            f"distances take {expected}: it is truncated, or of another format."
        )
    if key not in (None, "ids", "distances"):
        raise InvalidInputError(f"{path} holds ids and distances, no {key!r}; the key is 'ids' or 'distances'.")
    if key == "distances":
        return source_of_array(_map(path, _FLOAT32, HEADER_BYTES + shape[0] * shape[1] * _INT32.itemsize, shape))
    return source_of_array(_map(path, _INT32, HEADER_BYTES, shape))


def _map(path: Path, dtype: np.dtype[Any], offset: int, shape: tuple[int, int]) -> NDArray[Any]:
    if shape[0] == 0:
        return np.empty(shape, dtype)  # an empty range cannot be mapped
    return np.memmap(path, dtype, "r", offset, shape)


def _write(path: Path, rows: Rows, key: str | None) -> None:
    refuse_key(path, key)
    n_rows = 0
    with path.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        for chunk in rows.chunks:
            file.write(chunk.data)
            n_rows += len(chunk)
        if max(n_rows, rows.n_dims) > _MAX_COUNT:
            raise InvalidInputError(f"{n_rows} rows of {rows.n_dims} values exceed the format's {_MAX_COUNT}; use npy.")
        file.seek(0, os.SEEK_SET)
        file.write(np.array([n_rows, rows.n_dims], "<u4").tobytes())


def write_truth(path: Path, ids: NDArray[np.int32], distances: NDArray[np.float32]) -> None:
    """Write the big-ann layout: header, all ids, all distances."""
    with path.open("wb") as file:
        file.write(np.array(ids.shape, "<u4").tobytes())
        file.write(np.ascontiguousarray(ids, _INT32).data)
        file.write(np.ascontiguousarray(distances, _FLOAT32).data)


def _format(name: str, dtype: np.dtype[Any]) -> FileFormat:
    return FileFormat(name, (f".{name}",), partial(_open, dtype=dtype), _write, dtype)


FORMATS = (
    _format("fbin", _FLOAT32),
    _format("f16bin", np.dtype("<f2")),
    _format("u8bin", np.dtype("u1")),
    _format("i8bin", np.dtype("i1")),
    _format("ibin", _INT32),
)
TRUTH = FileFormat("ibin-truth", (), _open_truth, None, _INT32)
