"""Codes in bit-plane blocks, growing at the end; a removed code only loses its live bit."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from hammingway.kernels import LANES, read_rows, write_rows
from hammingway.kernels.live_planes import count_bits, slots_of_bits

__all__ = ["PlaneStore"]

_GROWTH = 1.5
_COPY_ROWS = 128 * LANES


class PlaneStore:
    """Slots numbered from 0, 512 to a block; each holds a code or is dead.

    Parameters
    ----------
    n_bits : bits a code.

    Attributes
    ----------
    n_slots : slots given out so far, dead ones among them.
    n_live : slots that hold a code.
    n_changes : goes up whenever other slots live than before.
    """

    def __init__(self, n_bits: int) -> None:
        self.n_bits = n_bits
        self.n_slots = 0
        self.n_live = 0
        self.n_changes = 0
        self._planes = np.zeros((0, n_bits, LANES // 64), np.uint64)
        self._live = np.zeros((0, LANES // 64), np.uint64)

    @classmethod
    def from_arrays(cls, planes: NDArray[np.uint64], live: NDArray[np.uint64], n_slots: int) -> Self:
        """Return a store over ``planes`` and ``live``, writable and exactly ``n_slots`` long; not copied."""
        store = cls(planes.shape[1])
        store._planes, store._live, store.n_slots = planes, live, n_slots
        store.n_live = count_bits(live)
        return store

    @property
    def n_blocks(self) -> int:
        """Blocks in use."""
        return -(-self.n_slots // LANES)

    @property
    def planes(self) -> NDArray[np.uint64]:
        """Bit planes of the blocks in use, uint64 (n_blocks, n_bits, 8)."""
        return self._planes[: self.n_blocks]

    @property
    def live(self) -> NDArray[np.uint64]:
        """Live planes of the blocks in use, uint64 (n_blocks, 8)."""
        return self._live[: self.n_blocks]

    @property
    def size_bytes(self) -> int:
        """Bytes of all blocks, those kept for growth too."""
        return self._planes.nbytes + self._live.nbytes

    def append(self, packed: NDArray[np.uint8]) -> None:
        """Put codes, uint8 (n, ceil(n_bits / 8)), into the next slots."""
        if not len(packed):
            return
        self.reserve(self.n_slots + len(packed))
        write_rows(self._planes, self._live, packed, self.n_slots)
        self.n_slots += len(packed)
        self.n_live += len(packed)
        self.n_changes += 1

    def add_blocks(self, n_blocks: int) -> None:
        """Give out the slots of ``n_blocks`` more blocks, all dead; those given out before must fill theirs."""
        n_slots = self.n_blocks * LANES + n_blocks * LANES
        self.reserve(n_slots)
        self.n_slots = n_slots

    def put(self, packed: NDArray[np.uint8], slots: NDArray[np.int64]) -> None:
        """Put codes, uint8 (n, ceil(n_bits / 8)), into ``slots``, distinct, dead and given out; best in runs."""
        starts = np.flatnonzero(np.diff(slots, prepend=-2) != 1)
        for first, end in zip(starts.tolist(), [*starts[1:].tolist(), len(slots)], strict=True):
            write_rows(self._planes, self._live, packed[first:end], int(slots[first]))
        self.n_live += len(slots)
        self.n_changes += 1

    def rows(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the codes in ``slots``, uint8 (len(slots), ceil(n_bits / 8))."""
        return read_rows(self.planes, slots)

    def is_live(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether each of ``slots``, all under ``n_slots``, holds a code."""
        words = self._live.reshape(-1)[slots >> 6]
        bits: NDArray[np.bool_] = (words >> (slots & 63).astype(np.uint64) & np.uint64(1)) != 0
        return bits

    def kill(self, slots: NDArray[np.int64]) -> None:
        """Clear the live bits of ``slots``, which are live and distinct."""
        masks = ~(np.uint64(1) << (slots & 63).astype(np.uint64))
        try:
            np.bitwise_and.at(self._live.reshape(-1), slots >> 6, masks)
        finally:  # Ctrl-C is raised once NumPy is done
            self.n_live -= len(slots)
            self.n_changes += 1

    def truncate(self, n_slots: int) -> None:
        """Forget the slots from ``n_slots`` on, and whatever an interrupted append left in them."""
        word, lane = divmod(n_slots, 64)
        words = self._live.reshape(-1)
        words[word : word + 1] &= np.uint64((1 << lane) - 1)
        words[word + 1 :] = 0
        self.n_slots, self.n_live = n_slots, count_bits(self._live)
        self.n_changes += 1

    def restore(self, live: NDArray[np.uint64], n_slots: int) -> None:
        """Go back to ``n_slots`` slots, of which those of ``live``, a copy of an earlier :attr:`live`, hold a code."""
        self._live[: len(live)] = live
        self._live[len(live) :] = 0
        self.n_slots, self.n_live = n_slots, count_bits(live)
        self.n_changes += 1

    def live_slots(self) -> NDArray[np.int64]:
        """Return the slots that hold a code, int64 (n_live,), ascending."""
        return slots_of_bits(self.live)

    def compacted(self, slots: NDArray[np.int64]) -> Self:
        """Return a store of its own memory whose slots 0, 1, ... hold the codes of ``slots``."""
        store = type(self)(self.n_bits)
        store.reserve(len(slots))
        for start in range(0, len(slots), _COPY_ROWS):
            store.append(self.rows(slots[start : start + _COPY_ROWS]))
        return store

    def reserve(self, n_slots: int) -> None:
        """Make room for ``n_slots``: exactly at first, by half as much again later, so appends stay cheap."""
        capacity = len(self._planes)
        needed = -(-n_slots // LANES)
        if needed <= capacity:
            return
        n_blocks = max(needed, int(capacity * _GROWTH))
        planes = np.zeros((n_blocks, *self._planes.shape[1:]), np.uint64)
        live = np.zeros((n_blocks, *self._live.shape[1:]), np.uint64)
        planes[: self.n_blocks], live[: self.n_blocks] = self.planes, self.live
        self._planes, self._live = planes, live
