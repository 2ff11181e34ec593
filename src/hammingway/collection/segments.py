"""Immutable segments on disk: arrays in .npy files, digested by the piece, mapped into memory."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hammingway.collection.records import FileRecord
from hammingway.errors import FileFormatError

__all__ = ["DIGEST_BYTES", "ArrayWriter", "MappedArray", "remove_files", "sync_folder"]

DIGEST_BYTES = 1 << 20


class ArrayWriter:
    """Writes one array, piece after piece, to a new .npy file; digests what goes by.

    Parameters
    ----------
    path : of the file, which must not exist.
    dtype, shape : of the whole array, C order.
    """

    def __init__(self, path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
        self._path, self._dtype, self._shape = path, np.dtype(dtype).newbyteorder("<"), shape
        self._digests: list[str] = []
        self._hash, self._filled, self._size = _new_hash(), 0, 0
        head = io.BytesIO()
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(head, header)
        self._head = head.getvalue()

    def __enter__(self) -> Self:
        self._file = self._path.open("xb", buffering=0)
        try:
            self._put(memoryview(self._head))
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, array: NDArray[Any]) -> None:
        """Append the next rows."""
        if array.size:
            ordered = np.ascontiguousarray(array, dtype=self._dtype)
            self._put(ordered.reshape(-1).view(np.uint8).data)

    def finish(self) -> FileRecord:
        """Bring the file to the disk and return what to remember of it."""
        if self._filled:
            self._close_piece()
        with self._named_errors():
            os.fsync(self._file.fileno())
        return FileRecord(
            name=self._path.name,
            size_bytes=self._size,
            offset=len(self._head),
            dtype=self._dtype.str,
            shape=self._shape,
            digests=tuple(self._digests),
        )

    def _put(self, data: memoryview) -> None:
        while data.nbytes:
            piece = data[: DIGEST_BYTES - self._filled]
            self._hash.update(piece)
            self._write_all(piece)
            self._filled += piece.nbytes
            self._size += piece.nbytes
            if self._filled == DIGEST_BYTES:
                self._close_piece()
            data = data[piece.nbytes :]

    def _write_all(self, data: memoryview) -> None:
        with self._named_errors():
            while data.nbytes:  # a nearly full disk takes a part
                data = data[self._file.write(data) :]

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def _close_piece(self) -> None:
        self._digests.append(self._hash.hexdigest())
        self._hash, self._filled = _new_hash(), 0


class MappedArray:
    """The array of one file, mapped; its bytes are held against their digests before they are used.

    Parameters
    ----------
    path : of the file.
    record : what the database says of it.
    kept : whether its pages stay in memory once they were checked, as for what every search reads.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : the file has another size, or one that the record contradicts.
    """

    def __init__(self, path: Path, record: FileRecord, *, kept: bool = True) -> None:
        size = path.stat().st_size
        if size != record.size_bytes:
            raise FileFormatError(
                f"{path} is damaged: it has {size} bytes and should have {record.size_bytes}. Restore a copy."
            )
        n_bytes = np.dtype(record.dtype).itemsize * prod(record.shape)
        if record.offset + n_bytes != size or len(record.digests) != -(-size // DIGEST_BYTES):
            raise FileFormatError(
                f"{path} is damaged, or what the database says of it: an array of {n_bytes} bytes from byte "
                f"{record.offset} with {len(record.digests)} digests in {size} bytes. Restore a copy."
            )
        self._path, self._record = path, record
        with path.open("rb") as file:
            self._mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._mapping, np.uint8)
        self._kept = kept or not hasattr(mmap, "MADV_DONTNEED")
        self.array: NDArray[Any] = self._bytes[record.offset :].view(record.dtype).reshape(record.shape)
        self._sound = np.zeros(len(record.digests), np.bool_)

    def check(self) -> None:
        """Raise FileFormatError, with the place, unless every byte is as it was written; looks once.

        Raises
        ------
        FileFormatError : the file is damaged.
        """
        self._check_pieces(np.flatnonzero(~self._sound))

    def check_rows(self, rows: NDArray[np.int64], last_rows: NDArray[np.int64] | None = None) -> None:
        """Check only the pieces that hold ``rows``, indices of the array's first dimension.

        With ``last_rows``, those from each of ``rows`` to its last, included.
        """
        if not self._sound.all() and len(rows):
            row_bytes = self.array.itemsize * int(np.prod(self.array.shape[1:], dtype=np.int64))
            ends = (rows if last_rows is None else last_rows) + 1
            first = (self._record.offset + rows * row_bytes) // DIGEST_BYTES
            last = (self._record.offset + ends * row_bytes - 1) // DIGEST_BYTES
            touched = np.zeros(len(self._sound) + 1, np.int64)
            np.add.at(touched, first, 1)
            np.add.at(touched, last + 1, -1)
            self._check_pieces(np.flatnonzero((np.cumsum(touched)[:-1] > 0) & ~self._sound))

    def forget_checks(self) -> None:
        """Make the next check look at every byte again."""
        self._sound[:] = False

    def _check_pieces(self, pieces: NDArray[np.int64]) -> None:
        if len(pieces) > 1:
            with ThreadPoolExecutor(min(len(pieces), os.cpu_count() or 1)) as pool:
                list(pool.map(self._check_piece, pieces.tolist()))
        elif len(pieces):
            self._check_piece(int(pieces[0]))

    def _check_piece(self, piece: int) -> None:
        start = piece * DIGEST_BYTES
        found = _new_hash(self._bytes[start : start + DIGEST_BYTES].data).hexdigest()
        if found != self._record.digests[piece]:
            end = min(start + DIGEST_BYTES, len(self._bytes))
            raise FileFormatError(
                f"{self._path} is damaged: bytes {start} to {end - 1} do not match their checksum. Restore a copy."
            )
        self._sound[piece] = True
        if not self._kept:
            with suppress(OSError):  # a hint only, refused for locked memory
                self._mapping.madvise(mmap.MADV_DONTNEED, start, min(DIGEST_BYTES, len(self._bytes) - start))


def remove_files(paths: list[Path]) -> None:
    """Remove files that no state of the collection names; those already gone are no matter."""
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Bring the names of the files in ``folder`` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new_hash(data: Any = b"") -> Any:
    return hashlib.blake2b(data, digest_size=16)
