"""One instruction set of the native module, in the form of the NumPy twin: it allocates the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from hammingway.kernels.layout import Biases
from hammingway.progress import row_chunks

__all__ = ["NativeTable", "joined_ranges"]


_TILE = 128  # queries that the native module scans at a time
_WORDS_A_CALL = 2**30  # planes times queries, in words: some tenths of a second
_ASYMMETRIC = 8  # what a word costs where weights are summed, of what it costs where bits are counted


def _parts(planes: NDArray[np.uint64], n_queries: int, *, cost: int = 1) -> Iterator[slice]:
    """Yield the queries of one call after another, at least one: Ctrl-C is only seen between calls."""
    tiles = max(1, _WORDS_A_CALL // (_TILE * cost * max(planes.size, 1)))
    return row_chunks(n_queries, tiles * _TILE) if n_queries else iter([slice(0, 0)])


def joined_ranges(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return the slots, distances and offsets of one or more groups of queries, one group after another."""
    if len(parts) == 1:
        return parts[0]
    slots, distances, offsets = (list(arrays) for arrays in zip(*parts, strict=True))
    counts = np.concatenate([[0], *(np.diff(part) for part in offsets)])
    return np.concatenate(slots), np.concatenate(distances), np.cumsum(counts)


class NativeTable:
    """The functions of the native module for the instruction set ``isa``; arguments already checked."""

    def __init__(self, module: ModuleType, isa: str) -> None:
        self._module = module
        self._isa = isa

    def write_rows(
        self, planes: NDArray[np.uint64], live: NDArray[np.uint64], packed: NDArray[np.uint8], start: int
    ) -> None:
        """Transpose rows into planes; see :meth:`hammingway.kernels.Kernels.write_rows`."""
        self._module.write_rows(self._isa, planes, live, packed, start)

    def read_rows(self, planes: NDArray[np.uint64], slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Transpose planes into rows; see :meth:`hammingway.kernels.Kernels.read_rows`."""
        packed = np.empty((len(slots), -(-planes.shape[1] // 8)), dtype=np.uint8)
        self._module.read_rows(self._isa, planes, slots, packed)
        return packed

    def top_k(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        queries: NDArray[np.uint8],
        k: int,
        *,
        ids: NDArray[np.int64] | None,
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Find the k nearest; see :meth:`hammingway.kernels.Kernels.top_k`."""
        slots = np.empty((len(queries), k), dtype=np.int64)
        distances = np.empty((len(queries), k), dtype=np.int32)
        for part in _parts(planes, len(queries)):
            self._module.top_k(self._isa, planes, live, queries[part], ids, slots[part], distances[part], n_threads)
        return slots, distances

    def top_k_asymmetric(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        weights: NDArray[np.int8],
        k: int,
        *,
        ids: NDArray[np.int64] | None,
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Find the k greatest weighted sums; see :meth:`hammingway.kernels.Kernels.top_k_asymmetric`."""
        slots = np.empty((len(weights), k), dtype=np.int64)
        scores = np.empty((len(weights), k), dtype=np.int32)
        for part in _parts(planes, len(weights), cost=_ASYMMETRIC):
            arrays = slots[part], scores[part]
            self._module.top_k_asymmetric(self._isa, planes, live, weights[part], ids, *arrays, n_threads)
        return slots, scores

    def top_k_biased(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        weights: NDArray[np.int8],
        k: int,
        *,
        biases: Biases,
        ids: NDArray[np.int64] | None,
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the k greatest biased sums; see :meth:`hammingway.kernels.Kernels.top_k_biased`."""
        slots = np.empty((len(weights), k), dtype=np.int64)
        values = np.empty((len(weights), k), dtype=np.float64)
        for part in _parts(planes, len(weights), cost=_ASYMMETRIC):
            scored = weights[part], biases.units[part], biases.of_slot, biases.of_block
            arrays = slots[part], values[part]
            self._module.top_k_biased(self._isa, planes, live, *scored, ids, *arrays, n_threads)
        return slots, values

    def within(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        queries: NDArray[np.uint8],
        radius: int,
        *,
        ids: NDArray[np.int64] | None,
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Find all within a radius; see :meth:`hammingway.kernels.Kernels.within`."""
        found = [
            self._module.within(self._isa, planes, live, queries[part], radius, ids, n_threads)
            for part in _parts(planes, len(queries))
        ]
        return joined_ranges(found)

    def pairwise(
        self, queries: NDArray[np.uint8], database: NDArray[np.uint8], *, n_threads: int
    ) -> NDArray[np.uint16]:
        """Measure all pairs; see :meth:`hammingway.kernels.Kernels.pairwise`."""
        distances = np.empty((len(queries), len(database)), dtype=np.uint16)
        self._module.pairwise(self._isa, queries, database, distances, n_threads)
        return distances
