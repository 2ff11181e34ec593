"""Exact nearest neighbours of real vectors: the truth that codes are measured against.

A fast single-precision product shortlists, with a rigorous bound on its rounding error, every
database row that could be among the nearest; the shortlist is then scored in double precision,
pair by pair. The answer is therefore a function of the vectors alone: threads, chunks and the
BLAS library cannot change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.progress import Progress, row_chunks

__all__ = ["MetricName", "exact_neighbors"]

MetricName = Literal["euclidean", "cosine", "inner-product"]

_PRODUCT_BYTES = 64 * 2**20
_QUERY_ROWS = 1024
_PAIR_ELEMENTS = 2**22
_LARGEST = 1e16  # squared and summed, they still do not overflow in float32


def exact_neighbors(
    queries: ArrayLike,
    database: ArrayLike,
    k: int,
    *,
    metric: MetricName = "euclidean",
    chunk_rows: int | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the exact ``k`` nearest database rows of each query, nearest first, ties in id order.

    Parameters
    ----------
    queries : float or integer (n_queries, d).
    database : float or integer (n, d); a memory map is read once, a chunk at a time. Values below 1e16; where
        'euclidean' differences are under 1e-154, their squares count as 0.
    k : neighbours a query, 1 to n.
    metric : 'euclidean'; 'cosine' (the distance is 1 - cosine; a zero vector has cosine 0 with
        everything); 'inner-product' (the distance is the negative product, so that smaller is nearer).
    chunk_rows : database rows scored at once; chosen for about 64 MiB if not given. Never changes the answer.
    progress : told the database rows done.

    Returns
    -------
    ids : int64 (n_queries, k), rows of ``database``.
    distances : float32 (n_queries, k), ascending.

    Raises
    ------
    ShapeError : not two matrices of the same width.
    InvalidInputError : ``k`` out of range, an unknown metric, or a value that is not finite.

    Examples
    --------
    >>> ids, distances = exact_neighbors([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0], [1.0, 0.0]], 2)
    >>> ids, distances
    (array([[1, 2]]), array([[1., 1.]], dtype=float32))
    """
    queries, database = np.asanyarray(queries), np.asanyarray(database)
    _check_arguments(queries, database, k, metric)
    working = _working_dtype(queries, database)
    blocks = [
        _Search.begin(_prepared(queries[rows], working, metric, "queries"), k, metric)
        for rows in row_chunks(len(queries), _QUERY_ROWS)
    ]
    if chunk_rows is None:
        chunk_rows = max(1024, _PRODUCT_BYTES // (4 * min(max(len(queries), 1), _QUERY_ROWS)))
    for rows in row_chunks(len(database), chunk_rows, progress):
        chunk = _prepared(database[rows], working, metric, "database")
        for block in blocks:
            block.see(chunk, rows.start)
    if not blocks:
        return np.empty((0, k), np.int64), np.empty((0, k), np.float32)
    ids = np.concatenate([block.ids for block in blocks])
    closeness = np.concatenate([block.closeness for block in blocks])
    return ids, _distances(closeness, metric)


@dataclass
class _Search:
    """The best ``k`` so far of one block of queries; larger closeness is nearer."""

    queries: NDArray[np.floating[Any]]
    norms: NDArray[np.float64]
    metric: MetricName
    ids: NDArray[np.int64]
    closeness: NDArray[np.float64]

    @classmethod
    def begin(cls, queries: NDArray[np.floating[Any]], k: int, metric: MetricName) -> _Search:
        ids = np.full((len(queries), k), -1, np.int64)
        return cls(queries, _norms(queries), metric, ids, np.full((len(queries), k), -np.inf))

    def see(self, chunk: NDArray[np.floating[Any]], start: int) -> None:
        """Merge one chunk of the database, whose first row has id ``start``."""
        norms = _norms(chunk)
        rows, columns = np.nonzero(self._shortlist(chunk, norms))
        exact = _pair_closeness(self.queries, self.norms, chunk, norms, (rows, columns), self.metric)
        self._merge(rows, columns + start, exact)

    def _shortlist(self, chunk: NDArray[np.floating[Any]], norms: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mark the pairs that could be among the best ``k``, bool (n_queries, chunk rows)."""
        k = self.ids.shape[1]
        rough = _rough_closeness(self.queries, self.norms, chunk, norms, self.metric)
        error = self._error_bound(norms.max())
        threshold = self.closeness[:, -1] - error
        if len(chunk) > k:
            kth = np.partition(rough, len(chunk) - k, axis=1)[:, len(chunk) - k].astype(np.float64)
            threshold = np.maximum(threshold, kth - 2 * error)
        # Rounding the threshold down to the product's precision can only let more pairs through.
        lowered = np.nextafter(threshold.astype(rough.dtype), rough.dtype.type(-np.inf))
        return rough >= lowered[:, np.newaxis]

    def _error_bound(self, largest_norm: float) -> NDArray[np.float64]:
        """Bound how far the rough closeness can be from the exact, float64 (n_queries,).

        A dot product of length d computed in any order is off by at most about d * eps * |q||x|
        (Higham 2002, section 3.1); twice that covers the norms that are added or divided by.
        """
        d, eps = self.queries.shape[1], float(np.finfo(self.queries.dtype).eps)
        if self.metric == "cosine":
            scale = np.ones(len(self.norms))
        elif self.metric == "inner-product":
            scale = self.norms * largest_norm
        else:
            scale = (self.norms + largest_norm) ** 2
        return cast("NDArray[np.float64]", 2 * (d + 8) * eps * scale + float(np.finfo(self.queries.dtype).tiny) * d)

    def _merge(self, rows: NDArray[np.int64], ids: NDArray[np.int64], closeness: NDArray[np.float64]) -> None:
        n_queries, k = self.ids.shape
        found = self.ids >= 0
        rows = np.concatenate([np.nonzero(found)[0], rows])
        ids = np.concatenate([self.ids[found], ids])
        closeness = np.concatenate([self.closeness[found], closeness])
        order = np.lexsort((ids, -closeness, rows))
        rows, ids, closeness = rows[order], ids[order], closeness[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, np.arange(n_queries))[rows]
        best = place < k
        self.ids[rows[best], place[best]] = ids[best]
        self.closeness[rows[best], place[best]] = closeness[best]


def _rough_closeness(
    queries: NDArray[np.floating[Any]],
    query_norms: NDArray[np.float64],
    chunk: NDArray[np.floating[Any]],
    norms: NDArray[np.float64],
    metric: MetricName,
) -> NDArray[np.floating[Any]]:
    """Return every pair's closeness in the working precision, (n_queries, chunk rows)."""
    dtype = queries.dtype
    if metric == "cosine":
        return cast("NDArray[np.floating[Any]]", _unit(queries, query_norms) @ _unit(chunk, norms).T)
    rough = queries @ chunk.T
    if metric == "euclidean":
        rough *= 2
        rough -= (norms**2).astype(dtype)
        rough -= (query_norms**2)[:, np.newaxis].astype(dtype)
    return cast("NDArray[np.floating[Any]]", rough)


def _pair_closeness(
    queries: NDArray[np.floating[Any]],
    query_norms: NDArray[np.float64],
    chunk: NDArray[np.floating[Any]],
    norms: NDArray[np.float64],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    metric: MetricName,
) -> NDArray[np.float64]:
    """Return the closeness of single pairs in double precision, float64 (n_pairs,).

    Each pair is summed by itself over a row of fixed length, in an order that depends on d only.
    """
    rows, columns = pairs
    closeness = np.empty(len(rows))
    for part in row_chunks(len(rows), max(1, _PAIR_ELEMENTS // max(1, queries.shape[1]))):
        left = queries[rows[part]].astype(np.float64)
        right = chunk[columns[part]].astype(np.float64)
        if metric == "euclidean":
            left -= right
            closeness[part] = -(left * left).sum(axis=1)
        else:
            closeness[part] = (left * right).sum(axis=1)
    if metric == "cosine":
        closeness *= _reciprocal(query_norms)[rows] * _reciprocal(norms)[columns]
    return closeness


def _distances(closeness: NDArray[np.float64], metric: MetricName) -> NDArray[np.float32]:
    if metric == "euclidean":
        return np.sqrt(-closeness).astype(np.float32)
    return ((1.0 if metric == "cosine" else 0.0) - closeness).astype(np.float32)


def _norms(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return each row's length in double precision, summed in an order that depends on d only."""
    norms = np.empty(len(vectors))
    for part in row_chunks(len(vectors), max(1, _PAIR_ELEMENTS // max(1, vectors.shape[1]))):
        wide = vectors[part].astype(np.float64)
        norms[part] = np.sqrt((wide * wide).sum(axis=1))
    return norms


def _unit(vectors: NDArray[np.floating[Any]], norms: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    """Return the rows scaled to length 1, in their own precision; a zero row stays zero."""
    return cast("NDArray[np.floating[Any]]", (vectors * _reciprocal(norms)[:, np.newaxis]).astype(vectors.dtype))


def _reciprocal(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / norm, and 0 for a zero vector, so that its cosine with everything is 0."""
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)


def _working_dtype(queries: NDArray[Any], database: NDArray[Any]) -> np.dtype[np.floating[Any]]:
    """Return float32 where both inputs fit in it exactly, else float64."""
    exact = all(np.can_cast(array.dtype, np.float32) for array in (queries, database))
    return np.dtype(np.float32 if exact else np.float64)


def _prepared(
    vectors: NDArray[Any], dtype: np.dtype[np.floating[Any]], metric: MetricName, what: str
) -> NDArray[np.floating[Any]]:
    vectors = _finite(vectors, dtype, what)
    if metric != "cosine" or not vectors.size:
        return vectors
    # No cosine depends on a row's scale, but the squares of tiny values would underflow.
    _, exponents = np.frexp(np.abs(vectors).max(axis=1, keepdims=True))
    return cast("NDArray[np.floating[Any]]", np.ldexp(vectors, -exponents))


def _finite(vectors: NDArray[Any], dtype: np.dtype[np.floating[Any]], what: str) -> NDArray[np.floating[Any]]:
    vectors = np.ascontiguousarray(vectors, dtype)
    # Written so that NaN fails too: every comparison with NaN is false.
    if not np.all(np.abs(vectors) < _LARGEST):
        raise InvalidInputError(
            f"{what} hold NaN, infinity or a value of {_LARGEST:g} or more; remove or rescale those rows."
        )
    return vectors


def _check_arguments(queries: NDArray[Any], database: NDArray[Any], k: int, metric: str) -> None:
    if queries.ndim != 2 or database.ndim != 2 or queries.shape[1] != database.shape[1]:
        raise ShapeError(
            f"queries and database must be matrices of the same width; got {queries.shape} and {database.shape}."
        )
    if metric not in get_args(MetricName):
        raise InvalidInputError(f"metric must be one of {', '.join(get_args(MetricName))}; got {metric!r}.")
    if not 1 <= k <= len(database):
        raise InvalidInputError(f"k must be from 1 to the {len(database)} rows of the database; got {k}.")
