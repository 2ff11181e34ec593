"""NumPy's npy (memory-mapped) and npz (read into memory), never with pickled objects."""

from __future__ import annotations

import io
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from hammingway.datasets.formats.base import (
    FileFormat,
    Rows,
    Source,
    as_numbers,
    file_size,
    refuse_key,
    source_of_array,
)
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.suggest import did_you_mean

__all__ = ["FORMATS"]

# What NumPy's header parser (a literal_eval of untrusted text) was seen or is documented to raise.
_HEADER_ERRORS = (
    ValueError, TypeError, SyntaxError, KeyError, IndexError, AttributeError,
    OverflowError, MemoryError, RecursionError, EOFError, struct.error, tokenize.TokenError,
)  # fmt: skip
_ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, RuntimeError,
    OSError, EOFError, ValueError, KeyError, IndexError, OverflowError, struct.error, MemoryError,
)  # fmt: skip
_MAX_HEADER_BYTES = 10_000
_MOST_INFLATED = 4096  # times the stored bytes; deflate makes at most 1032 of one


def _open_npy(path: Path, key: str | None) -> Source:
    refuse_key(path, key)
    size = file_size(path)
    with path.open("rb") as file:
        shape, fortran_order, dtype, offset = _header(file, str(path))
    _check_size(str(path), size - offset, shape, dtype)
    if 0 in shape:
        array: NDArray[Any] = np.empty(shape, dtype)  # an empty range cannot be mapped
    else:
        array = np.memmap(path, dtype, "r", offset, shape, "F" if fortran_order else "C")
    return source_of_array(as_numbers(array, path))


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, order, dtype and the offset of the data.

    Raises
    ------
    FileFormatError : no npy header, a damaged one, or one of Python objects.
    """
    readers = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
    try:
        version = npy_format.read_magic(file)
        if version not in readers:
            raise FileFormatError(f"{where} has npy version {version[0]}.{version[1]}; versions 1.0 and 2.0 are read.")
        shape, fortran_order, dtype = readers[version](file, max_header_size=_MAX_HEADER_BYTES)
    except FileFormatError:
        raise
    except _HEADER_ERRORS as error:
        raise FileFormatError(f"{where} is not a readable npy file: {_first_line(error)}.") from error
    if dtype.hasobject:
        raise FileFormatError(
            f"{where} holds Python objects, which are never unpickled; save it as an array of numbers."
        )
    if dtype.kind not in "fiub":
        raise FileFormatError(f"{where} holds values of type {dtype}; floating point or integers are expected.")
    if any(isinstance(extent, bool) or extent < 0 for extent in shape):
        raise FileFormatError(f"{where} has a damaged header: its shape is {shape}.")
    return shape, fortran_order, dtype, file.tell()


def _check_size(where: str, found: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    expected = dtype.itemsize * int(np.prod(shape, dtype=object))
    if max(shape, default=0) >= 2**63 or expected >= 2**63:
        raise FileFormatError(f"{where} has a damaged header: an array of shape {shape} cannot exist.")
    if found != expected:
        raise FileFormatError(
            f"{where} has {found} bytes of data; its header says shape {shape} of {dtype.name}, which takes "
            f"{expected}: it is truncated or damaged."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _write_npy(path: Path, rows: Rows, key: str | None) -> None:
    refuse_key(path, key)
    with path.open("wb") as file:
        _write_header(file, 0, rows)
        start = file.tell()
        n_rows = 0
        for chunk in rows.chunks:
            file.write(chunk.data)
            n_rows += len(chunk)
        file.seek(0, os.SEEK_SET)
        # NumPy pads the header so that the first axis can grow in place (GROWTH_AXIS_MAX_DIGITS).
        _write_header(file, n_rows, rows)
        if file.tell() != start:
            raise FileFormatError(f"the npy header for {n_rows} rows does not fit in the {start} bytes kept for it.")


def _write_header(file: IO[bytes], n_rows: int, rows: Rows) -> None:
    description = npy_format.dtype_to_descr(rows.dtype)
    npy_format.write_array_header_1_0(
        file, {"descr": description, "fortran_order": False, "shape": (n_rows, rows.n_dims)}
    )


def _open_npz(path: Path, key: str | None) -> Source:
    size = file_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            name = _member(path, archive, key)
            _check_member(path, archive.getinfo(name), size)
            data = archive.read(name)
    except _ZIP_ERRORS as error:
        if isinstance(error, FileFormatError | InvalidInputError):
            raise
        raise FileFormatError(f"{path} is not a readable npz file: {_first_line(error)}.") from error
    where = f"{path}[{name.removesuffix('.npy')}]"
    shape, fortran_order, dtype, offset = _header(io.BytesIO(data), where)
    _check_size(where, len(data) - offset, shape, dtype)
    flat = np.frombuffer(data, dtype, offset=offset)
    return source_of_array(as_numbers(flat.reshape(shape, order="F" if fortran_order else "C"), path))


def _check_member(path: Path, member: zipfile.ZipInfo, size: int) -> None:
    """Raise unless the sizes of a member can be true: memory is taken for as many bytes as they say."""
    most = member.compress_size if member.compress_type == zipfile.ZIP_STORED else _MOST_INFLATED * member.compress_size
    if member.compress_size > size or member.file_size > most:
        raise FileFormatError(
            f"{path} is damaged: {member.filename!r} cannot take {member.compress_size} bytes of {size}, nor hold "
            f"{member.file_size}."
        )


def _member(path: Path, archive: zipfile.ZipFile, key: str | None) -> str:
    keys = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    if key is None:
        if len(keys) != 1:
            raise InvalidInputError(f"{path} holds {len(keys)} arrays ({', '.join(keys)}); name one by its key.")
        return keys[0] + ".npy"
    if key not in keys:
        raise InvalidInputError(f"{path} has no array {key!r}. {did_you_mean(key, keys)}")
    return key + ".npy"


FORMATS = (
    FileFormat("npy", (".npy",), _open_npy, _write_npy, magic=b"\x93NUMPY"),
    FileFormat("npz", (".npz",), _open_npz, None, magic=b"PK"),
)
