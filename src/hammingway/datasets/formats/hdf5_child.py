"""The process that reads an HDF5 file for :mod:`hammingway.datasets.formats.hdf5`, so that it alone can crash.

``python -m hammingway.datasets.formats.hdf5_child attributes PATH`` or ``describe PATH KEY`` prints one line of
JSON; ``rows PATH KEY N`` prints one too, then the rows, ``N`` at a time, as they lie in memory. An error of ours is
a line with its class and message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hammingway.datasets.formats.base import as_numbers
from hammingway.errors import FileFormatError, HammingwayError, InvalidInputError
from hammingway.progress import row_chunks
from hammingway.suggest import did_you_mean

__all__ = ["main"]

_MOST_MEMORY = 8 << 30  # a chunk of a file may take half of it
_MOST_INFLATED = 4096  # times the stored bytes; deflate makes at most 1032 of one
# h5py turns the library's error codes into these built-in exceptions.
_HDF5_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError, NotImplementedError, OverflowError, MemoryError)


def main() -> None:
    """Do what the arguments say and end."""
    tasks: dict[str, Callable[..., None]] = {"attributes": _attributes, "describe": _describe, "rows": _rows}
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = _MOST_MEMORY if hard == resource.RLIM_INFINITY else min(_MOST_MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        tasks[sys.argv[1]](*sys.argv[2:])
    except HammingwayError as error:
        _say(error=type(error).__name__, message=str(error))


def _say(**facts: object) -> None:
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Give the open h5py file; whatever the library raises inside becomes one sentence."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except HammingwayError:
        raise
    except _HDF5_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileFormatError(f"{path} is not a readable HDF5 file: {reason}.") from error


def _attributes(path: str) -> None:
    with _opened(path) as file:
        found = {name: _text(value) for name, value in file.attrs.items()}
    _say(attributes=found)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _describe(path: str, name: str) -> None:
    with _opened(path) as file:
        dataset = _dataset(path, file, name)
        shape = [int(extent) for extent in dataset.shape]
        _say(shape=shape, dtype=dataset.dtype.str, offset=_offset(path, dataset, shape))


def _rows(path: str, name: str, n_rows: str) -> None:
    with _opened(path) as file:
        dataset = _dataset(path, file, name)
        _say(shape=[int(extent) for extent in dataset.shape])
        for rows in row_chunks(dataset.shape[0], int(n_rows)):
            chunk = as_numbers(np.asarray(dataset[rows]), Path(path))
            sys.stdout.buffer.write(np.ascontiguousarray(chunk).reshape(-1).view(np.uint8).data)


def _dataset(path: str, file: Any, name: str) -> Any:
    if _text(file.attrs.get("type", "dense")) == "sparse" or "size_train" in file:
        raise FileFormatError(
            f"{path} holds sparse data (sets of unequal length); dense vectors of one dimension are expected."
        )
    known = [key for key in file if isinstance(file.get(key), h5py.Dataset)]
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


def _offset(path: str, dataset: Any, shape: list[int]) -> int | None:
    """Return where a contiguous, unfiltered data set begins in this file; None if it is stored otherwise."""
    n_bytes, stored = dataset.dtype.itemsize * int(np.prod(shape, dtype=object)), dataset.id.get_storage_size()
    if dataset.chunks is None and not (dataset.external or dataset.is_virtual) and dataset.compression is None:
        offset = dataset.id.get_offset()
        fits = offset is not None and stored == n_bytes and offset + n_bytes <= Path(path).stat().st_size
        if n_bytes and fits:
            return int(offset)
    if not dataset.is_virtual and not dataset.external and n_bytes > max(stored, 1) * _MOST_INFLATED:
        raise FileFormatError(
            f"{path}: {dataset.name!r} says {n_bytes} bytes and stores {stored}: it was never filled, or is damaged."
        )
    return None


if __name__ == "__main__":
    main()
