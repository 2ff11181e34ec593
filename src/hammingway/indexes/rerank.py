"""Candidates of a code search put in order by the original vectors."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.ids import name_some
from hammingway.indexes.base import check_k, check_n_threads
from hammingway.indexes.originals import Originals, VectorSource
from hammingway.kernels.layout import threads_of
from hammingway.progress import row_chunks

__all__ = ["MetricName", "Reranked", "rerank"]

MetricName = Literal["cosine", "inner-product", "euclidean"]

_BLOCK_PAIRS = 2**20  # (query, candidate) pairs sorted by file position together
_BLOCK_ELEMENTS = 2**23  # of the queries of one block, in double precision
_CHUNK_ELEMENTS = 2**17  # of the originals one thread holds: 1 MiB, within its cache


@dataclass(frozen=True, slots=True, eq=False)
class Reranked:
    """The k nearest candidates of each query by their original vectors, sorted by (distance, id).

    Parameters
    ----------
    ids : int64 (n_queries, k); -1 where a query has fewer than k candidates.
    distances : float64 (n_queries, k), smaller is nearer; infinity beside id -1, never NaN.
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.shape != self.distances.shape:
            raise ShapeError(
                "ids and distances must share one shape (n_queries, k); "
                f"got {self.ids.shape} and {self.distances.shape}."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Yield each query's (ids, distances)."""
        return zip(self.ids, self.distances, strict=True)


def rerank(
    candidates: ArrayLike,
    queries: ArrayLike,
    originals: ArrayLike | VectorSource,
    k: int,
    *,
    metric: MetricName = "cosine",
    n_threads: int | None = None,
) -> Reranked:
    """Return the ``k`` candidates of each query that are nearest by the original vectors, ties in id order.

    Originals are read in the order of the file, on several threads, about a megabyte a thread at a
    time; a memory-mapped file may thus be larger than memory. Every distance is summed in double
    precision over one pair alone: threads, chunks and the other candidates cannot change it.

    Parameters
    ----------
    candidates : integers (n_queries, c), as ``index.search(...).ids``; -1 marks an empty place. An id
        listed twice for a query counts once; c may be 0.
    queries : real numbers (n_queries, d).
    originals : real numbers (n, d), array or memory map, whose row numbers are the ids; or
        :class:`Originals`, for scaled int8 vectors or ids of your own.
    k : results a query, from 1; where there are fewer candidates, id -1 at distance infinity fills up.
    metric : 'cosine' (the distance is 1 - cosine; a zero vector has cosine 0 with everything);
        'inner-product' (the negative product); 'euclidean'. The same distances as those of
        :func:`hammingway.bench.truth.exact_neighbors`, there rounded to float32.
    n_threads : threads that read and compute; None for all cores the process may use. More than cores
        help where the originals lie on a disk and are not cached.

    Raises
    ------
    ShapeError : candidates, queries and originals do not fit each other.
    InvalidInputError : a candidate without an original, an unknown metric, ``k`` or ``n_threads`` below 1,
        or a vector that holds NaN, infinity or values too large to square.

    Examples
    --------
    >>> originals = np.array([[0.0, 1.0], [1.0, 0.1], [0.8, 0.6]], np.float32)
    >>> rerank([[0, 1, 2]], [[1.0, 0.0]], originals, k=2, metric="inner-product").ids
    array([[1, 2]])
    """
    originals = originals if isinstance(originals, VectorSource) else Originals(originals)
    listed, wanted = _checked_candidates(candidates), np.asarray(queries)
    _check_arguments(listed, wanted, originals, metric)
    k, n_threads = check_k(k), threads_of(check_n_threads(n_threads))
    ids = np.full((len(wanted), k), -1, np.int64)
    distances = np.full((len(wanted), k), np.inf)
    n_kept = min(k, listed.shape[1])
    block_rows = max(1, min(_BLOCK_PAIRS // max(1, listed.shape[1]), _BLOCK_ELEMENTS // originals.n_dims))
    with ThreadPoolExecutor(n_threads) as pool:
        for block in row_chunks(len(wanted) if n_kept else 0, block_rows):
            sources = _Pairs(_finite(wanted[block]), originals, metric)
            found, by_distance = _ranked(np.sort(listed[block], axis=1), sources, pool)
            ids[block, :n_kept], distances[block, :n_kept] = found[:, :n_kept], by_distance[:, :n_kept]
    return Reranked(ids, distances)


def _ranked(
    ids: NDArray[np.int64], sources: _Pairs, pool: ThreadPoolExecutor
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return candidates (n_queries, c), each query's ascending by id, in the order of their distances."""
    distances = np.full(ids.shape, np.inf)
    counted = ids >= 0
    counted[:, 1:] &= ids[:, 1:] != ids[:, :-1]
    places = np.flatnonzero(counted)
    rows = sources.originals.rows_of(ids.ravel()[places])
    order = np.argsort(rows, kind="stable")
    places, rows = places[order], rows[order]

    def measure(pairs: slice) -> None:
        distances.ravel()[places[pairs]] = sources.distances(places[pairs] // ids.shape[1], rows[pairs])

    for _ in pool.map(measure, row_chunks(len(places), max(1, _CHUNK_ELEMENTS // sources.originals.n_dims))):
        pass
    _check_finite(distances.ravel()[places], rows)
    # The ids ascend already, so a stable sort leaves equal distances in id order.
    by_distance = np.argsort(distances, axis=1, kind="stable")
    ids = np.where(counted, ids, -1)
    return np.take_along_axis(ids, by_distance, axis=1), np.take_along_axis(distances, by_distance, axis=1)


class _Pairs:
    """Distances between single queries, float64 (n_queries, d), and single originals."""

    def __init__(self, queries: NDArray[np.float64], originals: VectorSource, metric: MetricName) -> None:
        self.originals = originals
        self._metric = metric
        self._queries = queries
        self._query_norms = np.sqrt((queries * queries).sum(axis=1))

    def distances(self, queries: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distance of each pair, float64 (n_pairs,), NaN or infinite where it cannot be computed.

        ``rows`` ascend; each is read once. NumPy sums a row of fixed length in an order that depends
        on the length only, as a matrix product does not.
        """
        first = np.ones(len(rows), np.bool_)
        first[1:] = rows[1:] != rows[:-1]
        which = np.cumsum(first) - 1
        with np.errstate(over="ignore", invalid="ignore"):
            block = self.originals.read(rows[first])
            products = self._queries[queries]
            if self._metric == "euclidean":
                products -= block[which]
                products *= products
                distances: NDArray[np.float64] = np.sqrt(products.sum(axis=1))
                return distances
            products *= block[which]
            closeness: NDArray[np.float64] = products.sum(axis=1)
            if self._metric == "inner-product":
                return 0.0 - closeness
            norms = np.sqrt((block * block).sum(axis=1))
            closeness *= _reciprocal(self._query_norms)[queries] * _reciprocal(norms)[which]
            # An infinite norm would pass as a cosine of 0.
            return np.where(np.isfinite(norms)[which], 1 - closeness, np.nan)


def _reciprocal(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / norm, and 0 for a zero vector, so that its cosine with everything is 0."""
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)


def _checked_candidates(candidates: ArrayLike) -> NDArray[np.int64]:
    listed = np.asarray(candidates)
    if listed.ndim != 2:
        raise ShapeError(f"candidates must have shape (n_queries, c); got {listed.shape}.")
    if not listed.size:
        return np.empty(listed.shape, np.int64)
    if listed.dtype.kind not in "iu":
        raise InvalidInputError(f"candidates must be integers, ids and -1; got {listed.dtype}.")
    if int(listed.min()) < -1 or int(listed.max()) > np.iinfo(np.int64).max:
        raise InvalidInputError(f"candidates must be ids or -1; got {listed.min()} to {listed.max()}.")
    return listed.astype(np.int64)


def _check_arguments(listed: NDArray[np.int64], queries: NDArray[Any], originals: VectorSource, metric: str) -> None:
    if queries.ndim != 2 or queries.shape[1] != originals.n_dims:
        raise ShapeError(
            f"queries must have shape (n_queries, {originals.n_dims}) as the originals; got {queries.shape}."
        )
    if queries.dtype.kind not in "fiu":
        raise InvalidInputError(f"queries must be integers or floats; got {queries.dtype}.")
    if len(listed) != len(queries):
        raise ShapeError(f"candidates must have one row a query; got {len(listed)} rows for {len(queries)} queries.")
    if metric not in get_args(MetricName):
        raise InvalidInputError(f"metric must be one of {', '.join(get_args(MetricName))}; got {metric!r}.")


def _finite(queries: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # of a wider float, which becomes infinite
        wide = np.ascontiguousarray(queries, np.float64)
    # Written so that NaN fails too; below 1e150 no square overflows.
    if not np.all(np.abs(wide) < 1e150):
        raise InvalidInputError("queries hold NaN, infinity or a value of 1e150 or more; remove or rescale those rows.")
    return wide


def _check_finite(distances: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
    bad = np.unique(rows[~np.isfinite(distances)])
    if bad.size:
        rows_named = name_some(bad).replace("id", "row", 1)
        raise InvalidInputError(
            f"{rows_named} of the originals: NaN, infinity or values too large to square; repair or leave them out."
        )
