"""HDF5 as ann-benchmarks lays it out: datasets train, test, neighbors, distances and a few attributes.

A truncated file, or one of another kind, is one clear error. A file damaged *within its metadata* can
crash the HDF5 library itself, and the process with it: read HDF5 files only from sources you trust,
and prefer npy or fbin for exchange.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.formats.base import FileFormat, Rows, Source, as_numbers, file_size, source_of_array
from hammingway.errors import FileFormatError, HammingwayError, InvalidInputError, MissingExtraError
from hammingway.progress import row_chunks
from hammingway.suggest import did_you_mean

__all__ = ["DEFAULT_KEY", "FORMATS", "attributes"]

DEFAULT_KEY = "train"
_OVERHEAD_BYTES = 1 << 16  # more than the header and attributes of a file of one data set
# h5py turns the library's error codes into these built-in exceptions.
_HDF5_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError, NotImplementedError, OverflowError, MemoryError)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("Reading and writing HDF5 files", "data") from error
    return h5py


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Give the open h5py file; whatever the library raises inside becomes one sentence."""
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            yield file
    except HammingwayError:
        raise
    except _HDF5_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileFormatError(f"{path} is not a readable HDF5 file: {reason}.") from error


def attributes(path: Path) -> dict[str, str]:
    """Return the file's attributes (``distance``, ``type``, ``point_type``, ...) as text."""
    file_size(path)
    with _opened(path) as file:
        return {name: _text(value) for name, value in file.attrs.items()}


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _open(path: Path, key: str | None) -> Source:
    size = file_size(path)
    with _opened(path) as file:
        _refuse_sparse(path, file)
        name = key or DEFAULT_KEY
        dataset = _dataset(path, file, name)
        shape = tuple(int(extent) for extent in dataset.shape)
        mapped = _map(path, dataset, shape, size)
        sample = as_numbers(np.empty(0, dataset.dtype), path)
    if mapped is not None:
        return source_of_array(mapped)

    def chunks(n_rows: int) -> Iterator[NDArray[Any]]:
        with _opened(path) as reopened:
            for rows in row_chunks(shape[0], n_rows):
                yield as_numbers(np.asarray(reopened[name][rows]), path)

    return Source(shape, sample.dtype, chunks)


def _refuse_sparse(path: Path, file: Any) -> None:
    if _text(file.attrs.get("type", "dense")) == "sparse" or "size_train" in file:
        raise FileFormatError(
            f"{path} holds sparse data (sets of unequal length); dense vectors of one dimension are expected."
        )


def _dataset(path: Path, file: Any, name: str) -> Any:
    known = [key for key in file if isinstance(file.get(key), _h5py().Dataset)]
    if name not in known:
        raise InvalidInputError(
            f"{path} has no data set {name!r}; name another by its key. {did_you_mean(name, known)}"
        )
    dataset = file[name]
    if not dataset.shape:
        raise FileFormatError(f"{path}: {name!r} has shape {dataset.shape}; rows of vectors are expected.")
    if dataset.dtype.kind not in "fiub":
        raise FileFormatError(f"{path}: {name!r} holds values of type {dataset.dtype}; numbers are expected.")
    return dataset


def _map(path: Path, dataset: Any, shape: tuple[int, ...], size: int) -> NDArray[Any] | None:
    """Return a memory map of a contiguous, unfiltered data set in this file; None if it is stored otherwise."""
    if dataset.chunks is not None or dataset.external or dataset.is_virtual or dataset.compression is not None:
        return None
    offset = dataset.id.get_offset()
    n_bytes = dataset.dtype.itemsize * int(np.prod(shape, dtype=object))
    if offset is None or n_bytes == 0 or offset + n_bytes > size or dataset.id.get_storage_size() != n_bytes:
        return None
    return as_numbers(np.memmap(path, dataset.dtype, "r", offset, shape), path)


def _write(path: Path, rows: Rows, key: str | None) -> None:
    h5py = _h5py()
    extent = rows.n_rows or 0
    growing = rows.n_rows is None
    _check_room(path, extent * rows.n_dims * rows.dtype.itemsize + _OVERHEAD_BYTES)
    with h5py.File(path, "w") as file:
        file.attrs.update(type="dense", dimension=rows.n_dims, point_type="float" if rows.dtype.kind == "f" else "int")
        try:
            dataset = file.create_dataset(
                key or DEFAULT_KEY,
                shape=(extent, rows.n_dims),
                maxshape=(None, rows.n_dims) if growing else None,
                dtype=rows.dtype,
            )
        except ValueError as error:  # such as "/", which is the root
            raise InvalidInputError(f"{key!r} cannot be the key of an HDF5 data set: {error}.") from error
        start = 0
        for chunk in rows.chunks:
            if growing:
                dataset.resize(start + len(chunk), axis=0)
            dataset[start : start + len(chunk)] = chunk
            start += len(chunk)


def _check_room(path: Path, n_bytes: int) -> None:
    """Raise OSError now if the disk has no room: after a write that failed, the HDF5 library crashes the process."""
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot reserve
                raise


FORMATS = (FileFormat("hdf5", (".hdf5", ".h5"), _open, _write, magic=b"\x89HDF\r\n\x1a\n"),)
