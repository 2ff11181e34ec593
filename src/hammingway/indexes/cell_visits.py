"""Which cells each query scans, and what that proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hammingway.indexes.cell_store import CellStore
from hammingway.indexes.certified import Certificate
from hammingway.indexes.filters import Selected
from hammingway.kernels import top_k, top_k_asymmetric
from hammingway.kernels.live_planes import plane_of_mask

__all__ = ["Visits", "nothing_to_find"]


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """The cells of each query, only such as hold a code that may be found.

    Parameters
    ----------
    cells : int64 (n_queries, n_visited), the most promising first.
    n_compared : int64 (n_queries,), codes in them.
    radius : int32 (n_queries,), every code this near lies in them; -1 where that is not known of any.
    """

    cells: NDArray[np.int64]
    n_compared: NDArray[np.int64]
    radius: NDArray[np.int32]

    @classmethod
    def of_codes(
        cls,
        cells: CellStore,
        queries: NDArray[np.uint8],
        n_probe: int,
        chosen: Selected,
        *,
        n_threads: int | None,
    ) -> Self:
        """Return the cells with the nearest centres of each query, uint8 (n_queries, n_bytes); ties: the first."""
        filled, live, sizes = _filled(cells, chosen)
        n_visited = min(n_probe, filled)
        visited, distances = top_k(cells.centres.planes, live, queries, n_visited, n_threads=n_threads)
        # A code in another cell is at most the reach from a centre that is at least as far as the last one.
        radius = distances[:, -1] - cells.reach - 1
        radius = np.maximum(radius, -1) if n_visited < filled else np.full_like(radius, cells.store.n_bits)
        return cls(visited, sizes[visited].sum(axis=1), radius)

    @classmethod
    def of_weights(
        cls,
        cells: CellStore,
        weights: NDArray[np.int8],
        n_probe: int,
        chosen: Selected,
        *,
        n_threads: int | None,
    ) -> Self:
        """Return the cells whose centres agree best with each row of weights, int8 (n_queries, 1 to n_bits)."""
        filled, live, sizes = _filled(cells, chosen)
        n_visited = min(n_probe, filled)
        visited, _ = top_k_asymmetric(cells.centres.planes, live, weights, n_visited, n_threads=n_threads)
        radius = np.full(len(weights), cells.store.n_bits if n_visited == filled else -1, np.int32)
        return cls(visited, sizes[visited].sum(axis=1), radius)

    def certificate(self, needed: NDArray[np.int32]) -> Certificate:
        """Return what was done, and whether it reached the radius ``needed``, int32 (n_queries,), that proves it."""
        n_queries, n_visited = self.cells.shape
        probes = np.full(n_queries, n_visited, np.int64)
        return Certificate(self.radius >= needed, self.radius, np.zeros(n_queries, np.bool_), probes, self.n_compared)


def nothing_to_find(n_queries: int, n_bits: int) -> Certificate:
    """Return the certificate of a search that no code could be the answer of."""
    none = np.zeros(n_queries, np.int64)
    radius = np.full(n_queries, n_bits, np.int32)
    return Certificate(np.ones(n_queries, np.bool_), radius, np.zeros(n_queries, np.bool_), none, none.copy())


def _filled(cells: CellStore, chosen: Selected) -> tuple[int, NDArray[np.uint64], NDArray[np.int64]]:
    """Return how many cells hold a chosen code, a plane of them, and how many such codes each has."""
    if chosen.n == cells.store.n_live:
        return *cells.filled(), cells.sizes()
    sizes = cells.sizes(chosen.live)
    filled = sizes > 0
    return int(np.count_nonzero(filled)), plane_of_mask(filled, cells.centres.n_blocks), sizes
