"""What every file format offers: rows to read, in one array or in chunks, and rows to write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import FileFormatError, InvalidInputError, ShapeError
from hammingway.progress import Progress, row_chunks

__all__ = [
    "CHUNK_BYTES",
    "FileFormat",
    "Rows",
    "Source",
    "as_numbers",
    "chunk_rows",
    "file_size",
    "refuse_key",
    "rows_of",
    "source_of_array",
]

CHUNK_BYTES = 1 << 26
"""Bytes of vectors held at once while a file is converted."""


@dataclass(frozen=True, eq=False)
class Source:
    """The rows of one array in a file, not yet read.

    Parameters
    ----------
    shape : (n,) or (n, ...), known from the file's header.
    dtype : of what ``chunks`` yields; never bool (0 and 1 come as uint8).
    chunks : given a number of rows, yields the rows in order, that many at a time (or fewer).
    mapped : the whole array where the format allows a memory map, else None.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: Callable[[int], Iterator[NDArray[Any]]]
    mapped: NDArray[Any] | None = None

    def read(self, progress: Progress | None = None) -> NDArray[Any]:
        """Return the whole array: the memory map, or else a copy in memory."""
        if self.mapped is not None:
            return self.mapped
        try:
            array = np.empty(self.shape, self.dtype)
        except (MemoryError, ValueError) as error:
            raise InvalidInputError(
                f"an array of shape {self.shape} of {self.dtype} does not fit in memory; convert the file to npy, "
                "which is mapped instead."
            ) from error
        start = 0
        for chunk in self.chunks(chunk_rows(self.shape, self.dtype)):
            array[start : start + len(chunk)] = chunk
            start += len(chunk)
            if progress is not None:
                progress(start, self.shape[0])
        return array


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows on their way into a file: checked, cast to ``dtype``, C-contiguous chunks of (m, n_dims)."""

    n_dims: int
    dtype: np.dtype[Any]
    n_rows: int | None
    chunks: Iterator[NDArray[Any]]


@dataclass(frozen=True)
class FileFormat:
    """One file format.

    Parameters
    ----------
    suffixes : lower-case file name endings, the dot included.
    open : returns the rows of a path, under a key where the format holds several arrays.
    write : writes rows to a temporary path (None: the format is only read).
    dtype : the one element type the format holds; None if it holds any number.
    magic : the bytes every file of this format starts with, if any.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[Path, str | None], Source]
    write: Callable[[Path, Rows, str | None], None] | None
    dtype: np.dtype[Any] | None = None
    magic: bytes = b""


def file_size(path: Path) -> int:
    """Return the size of a regular file in bytes.

    Raises
    ------
    FileFormatError : missing, a directory, or not readable.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise FileFormatError(f"{str(path)!r} is not a file name: {error}.") from error
    if not path.is_file():
        raise FileFormatError(f"{path} is not a file; give the path of one file of vectors.")
    if not os.access(path, os.R_OK):
        raise FileFormatError(f"{path} cannot be read: permission denied.")
    return size


def chunk_rows(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return how many rows of an array of this shape make about ``CHUNK_BYTES``, at least one."""
    row_bytes = dtype.itemsize * int(np.prod(shape[1:], dtype=object))
    return max(1, CHUNK_BYTES // max(1, row_bytes))


def as_numbers(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return ``array`` with bool seen as uint8 0 and 1, or raise if it holds anything but real numbers."""
    if array.dtype.kind == "b":
        return array.view(np.uint8)
    if array.dtype.kind not in "fiu":
        raise FileFormatError(f"{path} holds values of type {array.dtype}; floating point or integers are expected.")
    return array


def source_of_array(array: NDArray[Any]) -> Source:
    """Return a source over an array that is already there (or mapped)."""

    def chunks(n_rows: int) -> Iterator[NDArray[Any]]:
        for rows in row_chunks(len(array), n_rows):
            yield array[rows]

    return Source(array.shape, array.dtype, chunks, mapped=array)


def refuse_key(path: Path, key: str | None) -> None:
    """Raise if a key is given for a format that holds one array."""
    if key is not None:
        raise InvalidInputError(f"{path} holds one array, so the key {key!r} has no meaning; leave it out.")


def rows_of(
    chunks: Iterator[NDArray[Any]], dtype: np.dtype[Any] | None, n_rows: int | None, progress: Progress | None
) -> Rows:
    """Return rows for a writer: the first chunk decides width and type, every chunk is checked against it.

    Raises
    ------
    ShapeError : no chunk at all; later, while writing: another width, or not ``n_rows`` rows in the end.
    InvalidInputError : later, while writing: a value does not fit the type.
    """
    first = next(chunks, None)
    if first is None:
        raise ShapeError("There is no chunk to write; give at least one array of shape (n, d), n may be 0.")
    first = _two_axes(np.asarray(first))
    kept = np.dtype(np.uint8) if first.dtype.kind == "b" else first.dtype
    target = (dtype or kept).newbyteorder("<")

    def checked() -> Iterator[NDArray[Any]]:
        done = 0
        for chunk in _chain(first, chunks):
            whole = _two_axes(np.asarray(chunk))
            if whole.shape[1] != first.shape[1]:
                raise ShapeError(f"every chunk must have {first.shape[1]} columns as the first; got {whole.shape[1]}.")
            for rows in row_chunks(len(whole), chunk_rows(whole.shape, target)):
                yield _cast(whole[rows], target)
                done += rows.stop - rows.start
                if progress is not None and n_rows is not None:
                    progress(done, n_rows)
        if n_rows is not None and done != n_rows:
            raise ShapeError(f"n_rows is {n_rows}, but the chunks held {done} rows.")

    return Rows(first.shape[1], target, n_rows, checked())


def _chain(first: NDArray[Any], rest: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    yield first
    yield from rest


def _two_axes(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 2 or array.shape[1] == 0:
        raise ShapeError(f"vectors must have shape (n, d) with d >= 1; got {array.shape}.")
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(f"vectors must be floating point or integers; got {array.dtype}.")
    return array


def _cast(chunk: NDArray[Any], target: np.dtype[Any]) -> NDArray[Any]:
    """Return ``chunk`` as ``target``: floats may round to shorter floats, everything else must stay equal."""
    if chunk.dtype == target:
        return np.ascontiguousarray(chunk)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(chunk, dtype=target)
    if chunk.dtype.kind == "f" and target.kind == "f":
        same = bool(np.array_equal(np.isinf(cast), np.isinf(chunk)))
    else:
        same = _exactly_equal(cast, chunk)
    if not same:
        raise InvalidInputError(
            f"vectors of type {chunk.dtype} hold values that {target.name} cannot; "
            "choose a format with a wider type (npy keeps every type)."
        )
    return cast


def _exactly_equal(cast: NDArray[Any], original: NDArray[Any]) -> bool:
    """Whether the cast kept every value: back again it is equal, of equal sign, and no float ran out of digits."""
    with np.errstate(over="ignore", invalid="ignore"):
        back = cast.astype(original.dtype)
    if not (np.array_equal(back, original) and np.array_equal(cast < 0, original < 0)):
        return False
    for array in (cast, original):
        if array.dtype.kind == "f" and np.any(np.abs(array) > 2.0 ** (np.finfo(array.dtype).nmant + 1)):
            return False
    return True
