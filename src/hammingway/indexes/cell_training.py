"""Centres of cells: k-means of a sample of the codes."""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from hammingway.indexes.cell_store import CellStore
from hammingway.kernels import LANES
from hammingway.progress import row_chunks

__all__ = ["CODES_A_CELL", "sample_rows", "train_centres", "trained_cells", "usual_n_cells"]

CODES_A_CELL = 128
"""Codes a cell in the sample that centres are trained on."""

_BLOCKS_A_CELL = 4
_MOST_ROUNDS = 10
_ONE = 127
_SCORES = 1 << 24  # of codes and means, computed at a time
_BYTES_OF_BITS = 64 << 20


def trained_cells(
    old: CellStore | None,
    packed: NDArray[np.uint8],
    n_bits: int,
    *,
    with_own: bool,
    n_cells: int | None,
    seed: int,
    n_threads: int | None,
) -> CellStore:
    """Return a store with new centres that holds what ``old`` does.

    Parameters
    ----------
    packed : codes to train on, uint8 (n, ceil(n_bits / 8)).
    with_own : train on the codes of ``old`` too.
    n_cells : centres to train; None for as many as suit the codes to train on.
    """
    n_own = old.store.n_live if old is not None and with_own else 0
    n = n_own + len(packed)
    wanted = n_cells or usual_n_cells(n)
    rows = sample_rows(n, wanted, seed)
    is_own = rows < n_own
    sample = np.empty((len(rows), packed.shape[1]), np.uint8)
    sample[~is_own] = packed[rows[~is_own] - n_own]
    if old is not None:
        sample[is_own] = old.live_rows(rows[is_own])
    centres = train_centres(sample, n_bits, wanted)
    return CellStore(centres, n_bits) if old is None else old.moved(centres, n_threads=n_threads)


def usual_n_cells(n_codes: int) -> int:
    """Return how many cells suit ``n_codes`` codes: about their square root, and at least 4 blocks to a cell.

    Examples
    --------
    >>> [usual_n_cells(n) for n in (0, 10_000, 1_000_000, 100_000_000)]
    [1, 4, 488, 10000]
    """
    return max(1, min(isqrt(n_codes), n_codes // (_BLOCKS_A_CELL * LANES)))


def sample_rows(n: int, n_cells: int, seed: int) -> NDArray[np.int64]:
    """Return which of ``n`` codes to train ``n_cells`` centres on, int64, distinct, in random order."""
    rng = np.random.default_rng([seed, n])
    n_sampled = min(n, CODES_A_CELL * n_cells)
    if n_sampled * 4 > n:
        return rng.permutation(n)[:n_sampled]
    drawn = np.unique(rng.integers(0, n, 2 * n_sampled))
    return rng.permutation(drawn)[:n_sampled]


def train_centres(packed: NDArray[np.uint8], n_bits: int, n_cells: int) -> NDArray[np.uint8]:
    """Return centres of the codes, uint8 (at most n_cells, n_bytes): fewer where there are fewer distinct codes.

    Lloyd's k-means of the codes as vectors of -1 and +1, whose means become bits only at the end: majorities
    in each round would lose what few of a cell's codes have to say. Means are rounded to 127ths, so that
    every sum is exact and the centres are the same on any number of threads. It begins with the first
    distinct codes, so pass them in random order, and ends when no mean changes, or after ten rounds. A
    mean without codes moves to the code farthest from its own (ties: the first).

    Parameters
    ----------
    packed : uint8 (n, ceil(n_bits / 8)), n from 1.
    """
    means = _ONE * _signs(_first_distinct(packed, n_cells), n_bits)
    for _ in range(_MOST_ROUNDS):
        cells, nearness = _nearest(means, packed, n_bits)
        moved = _means(packed, cells, means)
        empty = np.flatnonzero(np.bincount(cells, minlength=len(means)) == 0)
        moved[empty] = _ONE * _signs(packed[np.argsort(nearness, kind="stable")[: len(empty)]], n_bits)
        if np.array_equal(moved, means):
            break
        means = moved
    return _first_distinct(np.packbits(means > 0, axis=1, bitorder="little"), n_cells)


def _first_distinct(packed: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """Return the first ``n`` distinct codes, in the order in which they come."""
    for n_seen in (4 * n, len(packed)):
        _, first = np.unique(packed[:n_seen], axis=0, return_index=True)
        if len(first) >= n or n_seen >= len(packed):
            break
    return packed[np.sort(first)[:n]]


def _signs(packed: NDArray[np.uint8], n_bits: int) -> NDArray[np.float32]:
    """Return codes as -1 and +1, float32 (n, n_bits)."""
    return np.unpackbits(packed, axis=1, count=n_bits, bitorder="little").astype(np.float32) * 2 - 1


def _nearest(
    means: NDArray[np.float32], packed: NDArray[np.uint8], n_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the cell of each code and how near it is, float32 (n,), the greater the nearer; ties: the first cell."""
    # |127 x - mean|^2 is a constant minus 254 times what is computed here. Products of signs and whole numbers
    # up to 127 add up to less than 2^24, exactly in any order.
    halves = (means.astype(np.float64) ** 2).sum(axis=1) / (2 * _ONE)
    cells, nearness = np.empty(len(packed), np.int64), np.empty(len(packed), np.float32)
    for rows in row_chunks(len(packed), max(256, _SCORES // len(means))):
        scores = _signs(packed[rows], n_bits) @ means.T - halves.astype(np.float32)
        cells[rows] = scores.argmax(axis=1)
        nearness[rows] = np.take_along_axis(scores, cells[rows, None], axis=1)[:, 0]
    return cells, nearness


def _means(packed: NDArray[np.uint8], cells: NDArray[np.int64], old: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each cell's codes in 127ths, rounded; the old one where there is none."""
    n_cells, n_bits = old.shape
    counts, ones = np.bincount(cells, minlength=n_cells), np.zeros((n_cells, n_bits), np.int64)
    order = np.argsort(cells, kind="stable")
    for chunk in row_chunks(len(order), max(1, _BYTES_OF_BITS // n_bits)):
        rows = order[chunk]
        first = np.flatnonzero(np.diff(cells[rows], prepend=-1))
        bits = np.unpackbits(packed[rows], axis=1, count=n_bits, bitorder="little")
        ones[cells[rows[first]]] += np.add.reduceat(bits, first, axis=0, dtype=np.int64)
    means = old.copy()
    filled = counts > 0
    lead = 2 * ones[filled] - counts[filled, None]
    means[filled] = np.rint(lead * _ONE / counts[filled, None])
    return means
