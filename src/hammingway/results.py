"""What a search returns: the k nearest of each query, or all within a radius."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import ShapeError

__all__ = ["Neighbors", "Ranges", "Scored"]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The k nearest codes of each query, sorted by (distance, id).

    Parameters
    ----------
    ids : int64 (n_queries, k); -1 where fewer than k codes exist.
    distances : int32 (n_queries, k), Hamming distances in bits; ``n_bits + 1`` beside id -1.

    Examples
    --------
    >>> found = Neighbors(np.array([[3, 8]]), np.array([[0, 2]], dtype=np.int32))
    >>> for ids, distances in found:
    ...     print(ids, distances)
    [3 8] [0 2]
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.shape != self.distances.shape:
            raise ShapeError(
                "ids and distances must share one shape (n_queries, k); "
                f"got {self.ids.shape} and {self.distances.shape}."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        """Yield each query's (ids, distances)."""
        return zip(self.ids, self.distances, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """All codes within a radius of each query, sorted by (distance, id): the ragged sibling of Neighbors.

    Parameters
    ----------
    ids : int64 (n_found,), the queries' results one after another.
    distances : int32 (n_found,), Hamming distances in bits.
    offsets : int64 (n_queries + 1,); query ``i`` owns ``ids[offsets[i]:offsets[i + 1]]``.
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or self.ids.shape != self.distances.shape:
            raise ShapeError(
                f"ids and distances must share one shape (n_found,); got {self.ids.shape} and {self.distances.shape}."
            )
        if self.offsets.ndim != 1 or not len(self.offsets) or self.offsets[0] != 0 or self.offsets[-1] != len(self.ids):
            raise ShapeError(f"offsets must run from 0 to the {len(self.ids)} results; got {self.offsets!r}.")
        if np.any(np.diff(self.offsets) < 0):
            raise ShapeError("offsets must never decrease.")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        """Yield each query's (ids, distances)."""
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.ids[start:stop], self.distances[start:stop]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Results of each query, int64 (n_queries,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The k best codes of each query by a real score, greatest first, sorted by (-score, id).

    Parameters
    ----------
    ids : int64 (n_queries, k); -1 where fewer than k codes exist.
    scores : float64 (n_queries, k), similarities; minus infinity beside id -1.

    Examples
    --------
    >>> found = Scored(np.array([[3, -1]]), np.array([[0.5, -np.inf]]))
    >>> for ids, scores in found:
    ...     print(ids, scores)
    [ 3 -1] [ 0.5 -inf]
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.shape != self.scores.shape:
            raise ShapeError(
                f"ids and scores must share one shape (n_queries, k); got {self.ids.shape} and {self.scores.shape}."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Yield each query's (ids, scores)."""
        return zip(self.ids, self.scores, strict=True)
