"""Planes with a bit a slot, uint64 (n_blocks, 8): which codes live, and which a filter lets through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hammingway.kernels.layout import LANES, WORDS

__all__ = ["all_live", "clear_bits", "count_bits", "plane_of_mask", "set_bits", "slots_of_bits"]


def all_live(n_slots: int) -> NDArray[np.uint64]:
    """Return live planes, uint64 (n_blocks, 8), with the bits of the first ``n_slots`` set."""
    words = np.zeros(-(-n_slots // LANES) * WORDS, np.uint64)
    words[: n_slots // 64] = ~np.uint64(0)
    if n_slots % 64:
        words[n_slots // 64] = np.uint64((1 << n_slots % 64) - 1)
    return words.reshape(-1, WORDS)


def clear_bits(words: NDArray[np.uint64], slots: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a copy of live planes without the bits of ``slots``."""
    cleared = words.copy()
    np.bitwise_and.at(cleared.reshape(-1), slots >> 6, ~(np.uint64(1) << (slots & 63).astype(np.uint64)))
    return cleared


def set_bits(slots: NDArray[np.int64], n_blocks: int) -> NDArray[np.uint64]:
    """Return planes, uint64 (n_blocks, 8), with exactly the bits of ``slots`` set."""
    mask = np.zeros(n_blocks * LANES, np.bool_)
    mask[slots] = True
    return plane_of_mask(mask, n_blocks)


def plane_of_mask(mask: NDArray[np.bool_], n_blocks: int) -> NDArray[np.uint64]:
    """Return planes, uint64 (n_blocks, 8), with the bit of slot ``s`` as ``mask[s]``; False past the mask's end.

    Examples
    --------
    >>> plane_of_mask(np.array([True, False, True]), 1)[0, 0]
    np.uint64(5)
    """
    packed = np.zeros(n_blocks * LANES // 8, np.uint8)
    bits = np.packbits(mask[: n_blocks * LANES], bitorder="little")
    packed[: len(bits)] = bits
    return packed.view("<u8").astype(np.uint64, copy=False).reshape(n_blocks, WORDS)


def slots_of_bits(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the slots whose bits are set in planes (n_blocks, 8), int64, ascending."""
    little_endian = words.astype("<u8", copy=False)
    return np.flatnonzero(np.unpackbits(little_endian.view(np.uint8).reshape(-1), bitorder="little"))


def count_bits(words: NDArray[np.uint64]) -> int:
    """Return how many bits are set."""
    return int(np.bitwise_count(words).sum())
