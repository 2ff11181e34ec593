"""Ask the system for scattered rows of a mapped file all at once, before they are touched one by one."""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FilePages"]


class FilePages:
    """The pages of a memory-mapped array whose rows lie whole in the file.

    Touching a row that is not cached stops the thread and reads its whole neighbourhood; of
    scattered rows that is mostly waste. Advice names the pages wanted, and the disk reads those
    alone, many at a time.

    Parameters
    ----------
    vectors : (n, d), d >= 1; for an array in memory, or rows that are not contiguous, nothing is advised.
    """

    def __init__(self, vectors: NDArray[Any]) -> None:
        self._mapping = _mapping_of(vectors)
        n_dims = vectors.shape[1]
        self._row_bytes, self._stride = n_dims * vectors.itemsize, vectors.strides[0]
        whole = vectors.strides[1] == vectors.itemsize or n_dims == 1
        if not whole or self._stride < self._row_bytes or not hasattr(mmap, "MADV_WILLNEED"):
            self._mapping = None
        if self._mapping is not None:
            self._start = vectors.ctypes.data - np.frombuffer(self._mapping, np.uint8).ctypes.data

    def runs(self, rows: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Return the pages of ``rows`` as ascending (start, length) in bytes of the mapping; none if not mapped."""
        if self._mapping is None or not len(rows):
            return []
        first_byte = self._start + np.sort(rows) * self._stride
        first, last = first_byte // mmap.PAGESIZE, (first_byte + self._row_bytes - 1) // mmap.PAGESIZE
        begins = np.flatnonzero(np.concatenate([[True], first[1:] > last[:-1] + 1]))
        starts = first[begins] * mmap.PAGESIZE
        ends = (last[np.append(begins[1:], len(rows)) - 1] + 1) * mmap.PAGESIZE
        return list(zip(starts.tolist(), (ends - starts).tolist(), strict=True))

    def fetch(self, rows: NDArray[np.int64]) -> None:
        """Start reading the pages of ``rows``, int64 (m,), and return at once."""
        if self._mapping is not None:
            # A hint the system refuses, as some do for memory that is no file, costs time and no answer.
            with suppress(OSError):
                for start, length in self.runs(rows):
                    self._mapping.madvise(mmap.MADV_WILLNEED, start, length)


def _mapping_of(array: NDArray[Any]) -> mmap.mmap | None:
    """Return the mapping that ``array`` is a view of, however many views lie between."""
    base: object = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) else None
