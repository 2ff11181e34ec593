"""How many relevant and how many other codes lie at each Hamming distance from each query.

A Hamming ranking has at most ``n_bits + 1`` different scores, so these counts hold all that a
tie-aware metric may depend on: not the order of the database, which is arbitrary among equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway import kernels
from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError
from hammingway.metrics.relevance import Relevance, as_relevance
from hammingway.progress import Progress, row_chunks

__all__ = ["DistanceCounts", "distance_counts"]


@dataclass(frozen=True, slots=True, eq=False)
class DistanceCounts:
    """The items at each Hamming distance from each query, and how many of them are relevant.

    Parameters
    ----------
    relevant : int64 (n_queries, n_bits + 1); column ``d`` counts relevant items at distance ``d``.
    total : int64 (n_queries, n_bits + 1); column ``d`` counts all items at distance ``d``.

    Raises
    ------
    ShapeError : the two differ in shape, or are not two-dimensional with at least two columns.
    InvalidInputError : not integers, a negative count, or more relevant items than items.

    Examples
    --------
    >>> counts = DistanceCounts(np.array([[1, 0, 1]]), np.array([[2, 1, 1]]))
    >>> counts.n_bits, counts.n_relevant.tolist(), counts.n_items.tolist()
    (2, [2], [4])
    """

    relevant: NDArray[np.int64]
    total: NDArray[np.int64]

    def __post_init__(self) -> None:
        relevant, total = np.asarray(self.relevant), np.asarray(self.total)
        if relevant.ndim != 2 or relevant.shape != total.shape or relevant.shape[1] < 2:
            raise ShapeError(
                "relevant and total must share one shape (n_queries, n_bits + 1); "
                f"got {relevant.shape} and {total.shape}."
            )
        if relevant.dtype.kind not in "iu" or total.dtype.kind not in "iu":
            raise InvalidInputError(f"counts must be integers; got {relevant.dtype} and {total.dtype}.")
        if np.any(relevant < 0) or np.any(relevant > total):
            raise InvalidInputError("at each distance, relevant must lie between 0 and total.")
        object.__setattr__(self, "relevant", relevant.astype(np.int64, copy=False))
        object.__setattr__(self, "total", total.astype(np.int64, copy=False))

    def __len__(self) -> int:
        return len(self.total)

    def __getitem__(self, rows: slice | NDArray[np.generic]) -> DistanceCounts:
        """Return the counts of the selected queries (a slice, a mask or an array of indices)."""
        return DistanceCounts(self.relevant[rows], self.total[rows])

    @property
    def n_bits(self) -> int:
        """Bits a code: the largest distance there is a column for."""
        return int(self.total.shape[1]) - 1

    @property
    def n_relevant(self) -> NDArray[np.int64]:
        """Relevant items in the whole database, int64 (n_queries,)."""
        n_relevant: NDArray[np.int64] = self.relevant.sum(axis=1)
        return n_relevant

    @property
    def n_items(self) -> NDArray[np.int64]:
        """Items ranked for each query, int64 (n_queries,)."""
        n_items: NDArray[np.int64] = self.total.sum(axis=1)
        return n_items

    @property
    def n_queries_without_relevant(self) -> int:
        """Queries for which the database holds no relevant item: their AP, recall and NDCG are nan."""
        return int(np.count_nonzero(self.n_relevant == 0))


def distance_counts(
    queries: Codes,
    database: Codes,
    relevant: tuple[ArrayLike, ArrayLike] | ArrayLike,
    *,
    own_rows: ArrayLike | None = None,
    chunk_bytes: int = 16 << 20,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> DistanceCounts:
    """Count the relevant and all database codes at each Hamming distance from each query.

    The distance matrix is computed in blocks and never held whole. The result is the same for every
    block size, number of threads and order of the database.

    Parameters
    ----------
    queries, database : codes of one width.
    relevant : who is relevant, in one of three forms:
        a pair ``(query_labels, database_labels)`` of class ids (n,), integers or strings: relevant
        when **equal**; a pair of 0/1 indicators (n, n_classes): relevant when the two share at least
        one label; or integers (n_queries, n_true): the exact neighbours as rows of the database.
    own_rows : int (n_queries,), the database row that is the query itself and is left out of its
        ranking, or -1; None when no query is in the database.
    chunk_bytes : memory for one block of distances, in bytes, > 0; small blocks stay in the cache.
    n_threads : threads of the kernel; None for all cores the process may use.
    progress : told the number of queries done after each block of them.

    Returns
    -------
    counts : DistanceCounts of (n_queries, n_bits + 1).

    Raises
    ------
    CodeWidthError : queries and database differ in ``n_bits``.
    ShapeError : labels, truth or own_rows do not match the numbers of codes.
    InvalidInputError : class ids that are not integers or strings, indicators other than 0/1, truth
        that is no row of the database or named twice, or own_rows out of range.

    Examples
    --------
    >>> queries = Codes.from_bits([[0, 0, 0]])
    >>> database = Codes.from_bits([[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 1, 1]])
    >>> counts = distance_counts(queries, database, ([7], [7, 7, 2, 7]))
    >>> counts.relevant.tolist(), counts.total.tolist()
    ([[1, 1, 0, 1]], [[1, 2, 0, 1]])
    """
    if queries.n_bits != database.n_bits:
        raise CodeWidthError(
            f"queries have {queries.n_bits} bits and the database {database.n_bits}; encode both with one hasher."
        )
    if chunk_bytes < 1:
        raise InvalidInputError(f"chunk_bytes must be at least 1; got {chunk_bytes}.")
    relevance = as_relevance(relevant, len(queries), len(database))
    rows_packed, columns = _whole_words(queries.packed), _whole_words(database.packed)
    columns = columns if relevance.order is None else columns[relevance.order]
    counts = np.zeros((2, len(queries), queries.n_bits + 1), dtype=np.int64)
    n_rows, n_columns = _block_shape(len(database), chunk_bytes // (2 + relevance.bytes_a_pair))
    for rows in row_chunks(len(queries), n_rows, progress):
        for part in row_chunks(len(database), n_columns):
            distances = kernels.pairwise(rows_packed[rows], columns[part], n_threads=n_threads)
            for row, row_counts in zip(distances, counts[1, rows], strict=True):
                row_counts += np.bincount(row, minlength=len(row_counts))
            relevance.add_counts(distances, rows, part, counts=counts[0])
    if own_rows is not None:
        _leave_out(counts, relevance, (queries, database), np.asarray(own_rows))
    return DistanceCounts(counts[0], counts[1])


def _whole_words(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return rows padded by zero bytes, which add no distance, to the 8 bytes the kernel compares fastest."""
    missing = -packed.shape[1] % 8
    return np.pad(packed, ((0, 0), (0, missing))) if missing else packed


def _block_shape(n_database: int, n_pairs: int) -> tuple[int, int]:
    """Return (queries, database codes) a block, at least one of each and at most ``n_pairs`` pairs."""
    n_columns = max(1, min(n_database, n_pairs))
    return max(1, n_pairs // n_columns), n_columns


def _leave_out(
    counts: NDArray[np.int64], relevance: Relevance, codes: tuple[Codes, Codes], own_rows: NDArray[np.generic]
) -> None:
    """Take each query's own database row out of its counts."""
    queries, database = codes
    if own_rows.shape != (len(queries),) or own_rows.dtype.kind not in "iu":
        raise ShapeError(f"own_rows must be integers ({len(queries)},); got {own_rows.dtype} {own_rows.shape}.")
    rows = own_rows.astype(np.intp)
    if rows.size and (rows.min() < -1 or rows.max() >= len(database)):
        raise InvalidInputError(
            f"own_rows must be rows of the database, 0 to {len(database) - 1}, or -1 for a query that is not in it; "
            f"got values from {rows.min()} to {rows.max()}."
        )
    inside = np.flatnonzero(rows >= 0)
    differing = np.bitwise_count(queries.packed[inside] ^ database.packed[rows[inside]])
    distances = differing.sum(axis=1, dtype=np.int64)
    counts[1, inside, distances] -= 1
    counts[0, inside, distances] -= relevance.of_pairs(inside, rows[inside])
