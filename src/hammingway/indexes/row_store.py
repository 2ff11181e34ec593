"""Codes as rows of words, which a look-up reads one at a time; planes would cost a line of cache a bit."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from hammingway.indexes.plane_store import PlaneStore
from hammingway.kernels.probing import words_of

__all__ = ["RowStore"]

_GROWTH = 1.5
_COPIED_ROWS = 1 << 16


class RowStore:
    """Rows in the slots 0, 1, ..., growing at the end; removed codes keep theirs.

    Parameters
    ----------
    n_bits : bits a code.
    """

    def __init__(self, n_bits: int) -> None:
        self._n_bits = n_bits
        self.n_slots = 0
        self._words = np.empty((0, -(-n_bits // 64)), np.uint64)

    @property
    def words(self) -> NDArray[np.uint64]:
        """The rows, uint64 (n_slots, ceil(n_bits / 64))."""
        return self._words[: self.n_slots]

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows, those kept for growth too."""
        return self._words.nbytes

    def append(self, packed: NDArray[np.uint8]) -> None:
        """Put codes, uint8 (n, ceil(n_bits / 8)), into the next slots."""
        n_slots = self.n_slots + len(packed)
        if n_slots > len(self._words):
            longer = np.empty((max(n_slots, int(len(self._words) * _GROWTH)), self._words.shape[1]), np.uint64)
            longer[: self.n_slots] = self.words
            self._words = longer
        self._words[self.n_slots : n_slots] = words_of(packed)
        self.n_slots = n_slots

    def copy_from(self, store: PlaneStore) -> None:
        """Put the codes of all slots of ``store`` that have no row yet into the next slots."""
        for start in range(self.n_slots, store.n_slots, _COPIED_ROWS):
            self.append(store.rows(np.arange(start, min(start + _COPIED_ROWS, store.n_slots))))

    def truncate(self, n_slots: int) -> None:
        """Forget the slots from ``n_slots`` on."""
        self.n_slots = n_slots

    def kept(self, slots: NDArray[np.int64]) -> Self:
        """Return a store whose slots 0, 1, ... hold the rows of ``slots``, ascending."""
        store = type(self)(self._n_bits)
        store._words, store.n_slots = self._words[slots], len(slots)
        return store
