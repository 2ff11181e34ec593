"""The exact nearest rows of chosen rows, the same on any number of threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hammingway.hashers.threads import for_each

__all__ = ["nearest_rows"]

_BLOCK_VALUES = 2**23  # of a block of similarities: 32 MiB in each thread, and twice that for its order


def nearest_rows(
    x: NDArray[np.float32],
    bonus: NDArray[np.float32],
    chosen: NDArray[np.int64],
    k: int,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k rows most similar to each chosen row, itself left out, and how similar, (n_chosen, k), best first.

    Parameters
    ----------
    x : float32 (n, n_features).
    bonus : float32 (n,), added to the inner product with a row: minus half its squared norm gives the Euclidean order.
    chosen : int64 (n_chosen,), rows of x.
    k : from 1 to n - 1.
    advance : told the chosen rows done with, after each block.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [3.0]], dtype=np.float32)
    >>> nearest_rows(x, -x[:, 0] ** 2 / 2, np.arange(3), 2)[0]
    array([[1, 2],
           [0, 2],
           [1, 0]])
    """
    found = np.empty((len(chosen), k), dtype=np.int64)
    how_similar = np.empty((len(chosen), k), dtype=np.float32)
    block_rows = max(1, _BLOCK_VALUES // len(x))

    def work(start: int) -> None:
        own = chosen[start : start + block_rows]
        similarity = x[own] @ x.T
        similarity += bonus
        similarity[np.arange(len(own)), own] = -np.inf
        best = np.argpartition(similarity, len(x) - k, axis=1)[:, len(x) - k :]
        best.sort(axis=1)  # so that equals come in the order of their rows
        values = np.take_along_axis(similarity, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        place = slice(start, start + block_rows)
        found[place] = np.take_along_axis(best, order, axis=1)
        how_similar[place] = np.take_along_axis(values, order, axis=1)

    starts = range(0, len(chosen), block_rows)
    for first in range(0, len(starts), 8):
        for_each(work, starts[first : first + 8])
        advance(min(8 * block_rows, len(chosen) - first * block_rows))
    return found, how_similar
