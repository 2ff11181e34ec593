"""idx, the format MNIST is published in: zero, zero, type, number of axes, big-endian sizes, values."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.formats.base import file_size
from hammingway.errors import FileFormatError

__all__ = ["read_idx"]

_UINT8 = 8
_MAX_BYTES = 1 << 30
_PIECE_BYTES = 1 << 20


def read_idx(path: Path, *, n_axes: int) -> NDArray[np.uint8]:
    """Return the uint8 array of an idx file, gzip-compressed if its name ends in ``.gz``.

    Raises
    ------
    FileFormatError : missing, truncated, damaged, of another type than uint8 or not of ``n_axes`` axes.
    """
    file_size(path)
    try:
        file: BinaryIO
        with path.open("rb") as raw:
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
            return _read(file, path, n_axes)
    except (EOFError, zlib.error, OSError) as error:
        raise FileFormatError(f"{path} is not a readable idx file: {error}.") from error


def _read(file: BinaryIO, path: Path, n_axes: int) -> NDArray[np.uint8]:
    header_bytes = 4 + 4 * n_axes
    header = file.read(header_bytes)
    if header[:4] != bytes([0, 0, _UINT8, n_axes]) or len(header) < header_bytes:
        raise FileFormatError(
            f"{path} starts with {header[:4].hex(' ')}; an idx file of {n_axes} axes of uint8 starts with "
            f"00 00 08 {n_axes:02x} and has a header of {header_bytes} bytes."
        )
    shape = tuple(np.frombuffer(header, ">u4", offset=4).tolist())
    expected = int(np.prod(shape, dtype=object))
    if expected > _MAX_BYTES:
        raise FileFormatError(f"{path} says shape {shape}, {expected} bytes; no image set of this format is so large.")
    data = _at_most(file, expected + 1)
    if len(data) != expected:
        found = f"{len(data)}" if len(data) < expected else f"more than {expected}"
        raise FileFormatError(f"{path} has {found} bytes of data; its header says shape {shape}, {expected} bytes.")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _at_most(file: BinaryIO, n_bytes: int) -> bytearray:
    """Return the next ``n_bytes`` or all there are; a file asked for more than it holds would make room for it."""
    data = bytearray()
    while len(data) < n_bytes:
        piece = file.read(min(_PIECE_BYTES, n_bytes - len(data)))
        if not piece:
            break
        data += piece
    return data
