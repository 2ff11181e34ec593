"""Centres of cells: clustering of codes by majority, the k-means of Hamming space."""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from hammingway.indexes.cell_store import CellStore
from hammingway.indexes.plane_store import PlaneStore
from hammingway.kernels import LANES, top_k

__all__ = ["CODES_A_CELL", "sample_rows", "train_centres", "trained_cells", "usual_n_cells"]

CODES_A_CELL = 128
"""Codes a cell in the sample that centres are trained on."""

_BLOCKS_A_CELL = 4
_MOST_ROUNDS = 10
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
    centres = train_centres(sample, n_bits, wanted, n_threads=n_threads)
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


def train_centres(packed: NDArray[np.uint8], n_bits: int, n_cells: int, *, n_threads: int | None) -> NDArray[np.uint8]:
    """Return centres of the codes, uint8 (at most n_cells, n_bytes): fewer where there are fewer distinct codes.

    Lloyd's iteration in Hamming space: each code goes to its nearest centre (ties: the first), and each
    bit of a centre becomes that of the majority of its codes (ties: stays). It begins with the first
    distinct codes, so pass them in random order, and ends when no centre changes, or after ten rounds. A
    centre without codes moves to the code farthest from its own.

    Parameters
    ----------
    packed : uint8 (n, ceil(n_bits / 8)), n from 1.
    """
    centres = _first_distinct(packed, n_cells)
    for _ in range(_MOST_ROUNDS):
        cells, distances = _assign(centres, packed, n_bits, n_threads)
        moved = _majorities(packed, cells, centres, n_bits)
        _fill_empty(moved, packed, cells, distances)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return _first_distinct(centres, n_cells)


def _first_distinct(packed: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """Return the first ``n`` distinct codes, in the order in which they come."""
    for n_seen in (4 * n, len(packed)):
        _, first = np.unique(packed[:n_seen], axis=0, return_index=True)
        if len(first) >= n or n_seen >= len(packed):
            break
    return packed[np.sort(first)[:n]]


def _assign(
    centres: NDArray[np.uint8], packed: NDArray[np.uint8], n_bits: int, n_threads: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    store = PlaneStore(n_bits)
    store.append(centres)
    cells, distances = top_k(store.planes, store.live, packed, 1, n_threads=n_threads)
    return cells[:, 0], distances[:, 0]


def _majorities(
    packed: NDArray[np.uint8], cells: NDArray[np.int64], centres: NDArray[np.uint8], n_bits: int
) -> NDArray[np.uint8]:
    """Return the majority of the codes of each cell, bit by bit; the centre's own bit where they are even."""
    counts = np.bincount(cells, minlength=len(centres))
    ones = np.zeros((len(centres), n_bits), np.int64)
    order = np.argsort(cells, kind="stable")
    step = max(1, _BYTES_OF_BITS // n_bits)
    for start in range(0, len(order), step):
        rows = order[start : start + step]
        mine = cells[rows]
        first = np.flatnonzero(np.diff(mine, prepend=-1))
        bits = np.unpackbits(packed[rows], axis=1, count=n_bits, bitorder="little")
        ones[mine[first]] += np.add.reduceat(bits, first, axis=0, dtype=np.int64)
    old = np.unpackbits(centres, axis=1, count=n_bits, bitorder="little")
    lead = 2 * ones - counts[:, None]
    return np.packbits(np.where(lead == 0, old, lead > 0).astype(np.bool_), axis=1, bitorder="little")


def _fill_empty(
    centres: NDArray[np.uint8], packed: NDArray[np.uint8], cells: NDArray[np.int64], distances: NDArray[np.int32]
) -> None:
    """Move centres without codes, in place, onto the codes farthest from their centres (ties: the first)."""
    empty = np.flatnonzero(np.bincount(cells, minlength=len(centres)) == 0)
    if len(empty):
        centres[empty] = packed[np.argsort(-distances, kind="stable")[: len(empty)]]
