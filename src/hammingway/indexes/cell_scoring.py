"""The best codes of some cells by scores, biases added."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hammingway.indexes.cell_store import CellStore
from hammingway.indexes.cell_visits import Visits
from hammingway.indexes.filters import Selected
from hammingway.kernels.cells import CellScan
from hammingway.kernels.layout import threads_of

__all__ = ["best_in_cells"]


def best_in_cells(
    scan: CellScan,
    cells: CellStore,
    chosen: Selected,
    visits: Visits,
    quantised: tuple[NDArray[np.int8], NDArray[np.float64]],
    k: int,
    *,
    n_threads: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ids of the ``k`` greatest scores of each query, (n_queries, k), and the scores, biases added.

    Parameters
    ----------
    visits : the cells that each query scans.
    quantised : the scores of the queries: weights, int8 (n_queries, 1 to n_bits), and units, float64 (n_queries,).

    Returns
    -------
    ids : int64, sorted by (-score, id); -1 where a query's cells hold fewer.
    scores : float64, in the unit of the scores; minus infinity beside id -1.
    """
    weights, units = quantised
    celled, n_threads = cells.celled(chosen.live), threads_of(n_threads)
    if cells.biases is None:
        slots, sums = scan.top_k_asymmetric(celled, weights, k, visits=visits.cells, n_threads=n_threads)
        scores = np.where(slots < 0, -np.inf, sums * units[:, None])
    else:
        biases = cells.biases.beside(units, cells.store.n_blocks)
        slots, scores = scan.top_k_biased(celled, weights, k, biases=biases, visits=visits.cells, n_threads=n_threads)
    return np.where(slots < 0, -1, cells.stored[slots]), scores
