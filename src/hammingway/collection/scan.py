"""Search over the parts of a snapshot, merged by (distance, key)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hammingway.collection.parts import Part, Snapshot
from hammingway.kernels import top_k, top_k_asymmetric, within
from hammingway.kernels.live_planes import set_bits

__all__ = ["best_scored", "filtered", "nearest", "within_radius"]

Found = tuple[NDArray[np.int64], NDArray[np.int32]]
"""Keys, and what they are ranked by, smallest first, both (n_queries, at most k)."""


def filtered(snapshot: Snapshot, keys: NDArray[np.int64], *, inverted: bool) -> list[Part]:
    """Return the parts with only the items of ``keys`` live; or, ``inverted``, only the others."""
    chosen = []
    for part in snapshot.parts:
        slots = part.find(keys)
        plane = set_bits(slots[slots >= 0], len(part.live))
        chosen.append(part.with_live(part.live & (~plane if inverted else plane)))
    return chosen


def nearest(parts: Sequence[Part], queries: NDArray[np.uint8], k: int, *, n_bits: int, n_threads: int | None) -> Found:
    """Return keys, int64 (n_queries, k), and distances, int32, sorted by (distance, key).

    Key -1 and ``n_bits + 1`` fill what is not there.
    """

    def find(part: Part, n: int) -> Found:
        return top_k(part.planes, part.live, queries, n, ids=part.tie_keys, n_threads=n_threads)

    return _first(parts, len(queries), k, find, fill=n_bits + 1)


def best_scored(parts: Sequence[Part], weights: NDArray[np.int8], k: int, *, n_threads: int | None) -> Found:
    """Return keys, int64 (n_queries, k), and sums of weights, int32, sorted by (-sum, key).

    Key -1 and 0 fill what is not there.

    Parameters
    ----------
    weights : (n_queries, n_bits), as :func:`hammingway.indexes.query_weights.quantize_scores` gives them.
    """

    def find(part: Part, n: int) -> Found:
        slots, sums = top_k_asymmetric(part.planes, part.live, weights, n, ids=part.tie_keys, n_threads=n_threads)
        return slots, -sums

    keys, negative = _first(parts, len(weights), k, find, fill=0)
    return keys, -negative


def within_radius(
    parts: Sequence[Part], queries: NDArray[np.uint8], radius: int, *, n_threads: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return keys and distances of all live codes within ``radius`` bits, and each query's offsets."""
    keys, distances, askers = [np.empty(0, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    for part in parts:
        if part.n_live and len(queries):
            part.check()
            slots, found, offsets = within(
                part.planes, part.live, queries, radius, ids=part.tie_keys, n_threads=n_threads
            )
            keys.append(part.keys_of(slots))
            distances.append(found)
            askers.append(np.repeat(np.arange(len(queries)), np.diff(offsets)))
    all_keys, all_distances, all_askers = np.concatenate(keys), np.concatenate(distances), np.concatenate(askers)
    order = np.lexsort((all_keys, all_distances, all_askers))
    offsets = np.zeros(len(queries) + 1, np.int64)
    np.cumsum(np.bincount(all_askers, minlength=len(queries)), out=offsets[1:])
    return all_keys[order], all_distances[order], offsets


def _first(parts: Sequence[Part], n_queries: int, k: int, find: Callable[[Part, int], Found], *, fill: int) -> Found:
    """Return what ``find`` finds first in all parts together; key -1 and ``fill`` where there is no more."""
    best = np.empty((n_queries, 0), np.int64), np.empty((n_queries, 0), np.int32)
    for part in parts:
        n_found = min(k, part.n_live)
        if n_found and n_queries:
            part.check()
            slots, ranks = find(part, n_found)
            best = _merged(best, (part.keys_of(slots.reshape(-1)).reshape(slots.shape), ranks), k)
    keys, ranks = np.full((n_queries, k), -1, np.int64), np.full((n_queries, k), fill, np.int32)
    n_found = best[0].shape[1]
    keys[:, :n_found], ranks[:, :n_found] = best
    return keys, ranks


def _merged(best: Found, new: Found, k: int) -> Found:
    """Return the ``k`` first of two lists a query, each in order."""
    if not best[0].shape[1]:
        return new
    keys, distances = np.concatenate([best[0], new[0]], axis=1), np.concatenate([best[1], new[1]], axis=1)
    order = np.lexsort((keys, distances), axis=-1)[:, :k]
    return np.take_along_axis(keys, order, axis=1), np.take_along_axis(distances, order, axis=1)
