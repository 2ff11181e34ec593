"""What a collection returns: items, neighbours by name, and its own figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.codes import Codes
from hammingway.indexes.rerank import Reranked
from hammingway.results import Neighbors, Scored

__all__ = ["CollectionStats", "Items", "NamedNeighbors", "NamedRanges", "NamedReranked", "NamedScored", "named"]


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Items of a collection, in the order they were asked for.

    Parameters
    ----------
    ids : int64 (n,), or str objects (n,) where ids are strings.
    codes : their n codes.
    metadata : one dict an item; empty where none was given.
    vectors : originals (n, n_features), or None where none are kept.
    """

    ids: NDArray[Any]
    codes: Codes
    metadata: list[dict[str, Any]]
    vectors: NDArray[Any] | None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class NamedNeighbors:
    """The k nearest items of each query under string ids: the sibling of :class:`hammingway.Neighbors`.

    Parameters
    ----------
    ids : str objects (n_queries, k); None where fewer than k items exist.
    distances : int32 (n_queries, k), Hamming distances in bits; ``n_bits + 1`` beside None.
        Sorted by distance; equal ones in the order in which their ids were first added.
    """

    ids: NDArray[np.object_]
    distances: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[NDArray[np.object_], NDArray[np.int32]]]:
        """Yield each query's (ids, distances)."""
        return zip(self.ids, self.distances, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class NamedRanges:
    """All items within a radius of each query under string ids: the sibling of :class:`hammingway.Ranges`.

    Parameters
    ----------
    ids : str objects (n_found,), the queries' results one after another.
    distances : int32 (n_found,), in bits; sorted as in :class:`NamedNeighbors`.
    offsets : int64 (n_queries + 1,); query ``i`` owns ``ids[offsets[i]:offsets[i + 1]]``.
    """

    ids: NDArray[np.object_]
    distances: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[tuple[NDArray[np.object_], NDArray[np.int32]]]:
        """Yield each query's (ids, distances)."""
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.ids[start:stop], self.distances[start:stop]


@dataclass(frozen=True, slots=True, eq=False)
class NamedScored:
    """The k best items of each query by a score, under string ids: the sibling of :class:`hammingway.Scored`.

    Parameters
    ----------
    ids : str objects (n_queries, k); None where fewer than k items exist.
    scores : float64 (n_queries, k), greatest first; minus infinity beside None. Equal ones in the order
        in which their ids were first added.
    """

    ids: NDArray[np.object_]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[NDArray[np.object_], NDArray[np.float64]]]:
        """Yield each query's (ids, scores)."""
        return zip(self.ids, self.scores, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class NamedReranked:
    """The k nearest items by the original vectors, under string ids: the sibling of :class:`hammingway.Reranked`.

    Parameters
    ----------
    ids : str objects (n_queries, k); None where fewer than k items exist.
    distances : float64 (n_queries, k), smallest first; infinity beside None. Equal ones in the order in
        which their ids were first added.
    """

    ids: NDArray[np.object_]
    distances: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[NDArray[np.object_], NDArray[np.float64]]]:
        """Yield each query's (ids, distances)."""
        return zip(self.ids, self.distances, strict=True)


def named(
    found: Neighbors | Scored | Reranked, names: NDArray[np.object_]
) -> NamedNeighbors | NamedScored | NamedReranked:
    """Return what was found by keys under the names, objects (n_queries, k), that stand for them."""
    if isinstance(found, Scored):
        return NamedScored(names, found.scores)
    if isinstance(found, Reranked):
        return NamedReranked(names, found.distances)
    return NamedNeighbors(names, found.distances)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStats:
    """Figures of a collection.

    Parameters
    ----------
    n_items : items that can be found.
    n_described : of these, how many have metadata.
    n_bits : bits a code.
    n_segments : immutable segments.
    n_recent : items still in the database, not in a segment.
    n_dead : places of deleted or replaced items that :meth:`Collection.compact` gives back.
    operation : operations committed since the collection was created.
    format_version : of the directory.
    encoder : fingerprint of the hasher, or None.
    code_bytes : of the items' codes, packed.
    disk_bytes : of all files.
    """

    n_items: int
    n_described: int
    n_bits: int
    n_segments: int
    n_recent: int
    n_dead: int
    operation: int
    format_version: int
    encoder: str | None
    code_bytes: int
    disk_bytes: int
