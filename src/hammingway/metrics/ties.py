"""Groups of equally distant items, and sums over the ranks they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError
from hammingway.metrics.counts import DistanceCounts

__all__ = ["TieGroups", "check_rank", "harmonic_difference", "in_blocks", "tie_groups"]

_TABLE_END = 64
_HARMONIC = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, _TABLE_END + 1))])
_BLOCK_CELLS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class TieGroups:
    """One group for each (query, distance), every array float64 (n_queries, n_bits + 1).

    Parameters
    ----------
    size : items in the group.
    relevant : relevant items in the group.
    before : items in nearer groups: the group holds ranks ``before + 1`` to ``before + size``.
    relevant_before : relevant items in nearer groups.
    """

    size: NDArray[np.float64]
    relevant: NDArray[np.float64]
    before: NDArray[np.float64]
    relevant_before: NDArray[np.float64]

    def taken(self, k: int) -> NDArray[np.float64]:
        """Items of each group that are among the first ``k`` ranks."""
        return np.clip(k - self.before, 0, self.size)

    @property
    def density(self) -> NDArray[np.float64]:
        """Chance that a place of the group holds a relevant item; 0 for an empty group."""
        density: NDArray[np.float64] = self.relevant / np.maximum(self.size, 1)
        return density


def tie_groups(counts: DistanceCounts) -> TieGroups:
    """Return the groups of equal distance of each query's ranking."""
    size, relevant = counts.total, counts.relevant
    before = np.cumsum(size, axis=1) - size
    relevant_before = np.cumsum(relevant, axis=1) - relevant
    return TieGroups(*(part.astype(np.float64) for part in (size, relevant, before, relevant_before)))


def check_rank(rank: object, name: str) -> int:
    """Return ``rank`` as an int, or raise if it is not a whole number of at least 1.

    Raises
    ------
    InvalidInputError : not an integer, or below 1. There is no "-1 means all": a slice ``[0:-1]``
        silently drops the last item, which is how that convention went wrong elsewhere.
    """
    if isinstance(rank, bool) or not isinstance(rank, int | np.integer) or rank < 1:
        raise InvalidInputError(
            f"{name} must be a whole number of at least 1; got {rank!r}. "
            "For the whole ranking use the metric without it."
        )
    return int(rank)


def in_blocks(counts: DistanceCounts, function: Callable[[DistanceCounts], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return ``function`` of ``counts`` computed for a bounded number of queries at a time."""
    n_rows = max(1, _BLOCK_CELLS // counts.total.shape[1])
    blocks = [function(counts[start : start + n_rows]) for start in range(0, len(counts), n_rows)]
    return np.concatenate(blocks) if blocks else np.empty(0)


def harmonic_difference(start: NDArray[np.float64], stop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of 1/i over start < i <= stop, to the last bits even when the two are large and close.

    Subtracting two harmonic numbers would lose those bits. Up to 64 they come from a table; above, from
    the logarithm of one ratio and the Euler-Maclaurin terms in x = n + 1/2, whose remainder is below 1e-17.

    Parameters
    ----------
    start, stop : whole numbers, 0 <= start <= stop.

    Examples
    --------
    >>> harmonic_difference(np.array([0.0, 1e9]), np.array([3.0, 1e9 + 1]))
    array([1.83333333e+00, 9.99999999e-10])
    """
    low, high = (np.minimum(end, _TABLE_END).astype(np.intp) for end in (start, stop))
    first, last = np.maximum(start, _TABLE_END) + 0.5, np.maximum(stop, _TABLE_END) + 0.5
    tail = np.log1p((last - first) / first) + _euler_maclaurin(last) - _euler_maclaurin(first)
    difference = tail + (_HARMONIC[high] - _HARMONIC[low])
    # A single rank is exact, so that rankings without ties have their plain values.
    return np.where(stop - start == 1, 1.0 / np.maximum(stop, 1), difference)


def _euler_maclaurin(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return H(n) - log(x) - Euler's constant for x = n + 1/2 >= 64.5."""
    y = 1.0 / (x * x)
    result: NDArray[np.float64] = y * (1 / 24 - y * (7 / 960 - y * (31 / 8064)))
    return result
