"""Queries, training and database rows of one experiment, checked to be disjoint where they must be."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.datasets.formats.base import chunk_rows
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.progress import row_chunks

__all__ = ["RetrievalData", "from_vectors", "seeded_order"]

_COPY_IN_MEMORY_BYTES = 1 << 30
"""Up to here the kept rows of a memory-mapped file are copied into memory, beyond into a scratch file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalData:
    """One retrieval experiment: what is searched for, what is searched, what may be learnt from.

    Parameters
    ----------
    name, protocol : of the data set and of its split; a file and the way its queries were held out.
    queries, database, training : (n_queries, d), (n_database, d), (n_training, d), one element type;
        pixels are uint8 0 to 255, one image flattened to a row.
    query_labels, database_labels, training_labels : int64 (n,) class numbers, or all None.
    query_ids, database_ids, training_ids : int64 (n,) row numbers in the source, or all None if queries
        and database come from separate sources. Queries are never in the database; ``training`` may be.
    description : a sentence on queries and database: source, sizes, overlap, seed.
    training_description : a sentence on the training rows, which means nothing to hashers that are fitted already.

    Raises
    ------
    ShapeError : not (n, d) of one d, no query or no database row, or labels or ids of another length.
    InvalidInputError : a query's row is in the database, or an id occurs twice.

    Examples
    --------
    >>> data = from_vectors(np.eye(4), n_queries=1, seed=0)
    >>> data.queries.shape, data.database.shape
    ((1, 4), (3, 4))
    """

    name: str
    protocol: str
    queries: NDArray[Any]
    database: NDArray[Any]
    training: NDArray[Any]
    query_labels: NDArray[np.int64] | None = None
    database_labels: NDArray[np.int64] | None = None
    training_labels: NDArray[np.int64] | None = None
    query_ids: NDArray[np.int64] | None = None
    database_ids: NDArray[np.int64] | None = None
    training_ids: NDArray[np.int64] | None = None
    description: str = ""
    training_description: str = ""

    def __post_init__(self) -> None:
        parts = {"queries": self.queries, "database": self.database, "training": self.training}
        for part, rows in parts.items():
            if rows.ndim != 2 or not rows.size or rows.shape[1] != self.queries.shape[1]:
                raise ShapeError(
                    f"{part} must have shape (n, d), n >= 1, d as the queries; got {rows.shape}, queries "
                    f"{self.queries.shape}."
                )
        self._check_companions("labels", (self.query_labels, self.database_labels, self.training_labels))
        self._check_companions("ids", (self.query_ids, self.database_ids, self.training_ids))
        if self.query_ids is not None and self.database_ids is not None and self.training_ids is not None:
            _check_disjoint(self.query_ids, self.database_ids)

    def _check_companions(self, what: str, arrays: tuple[NDArray[np.int64] | None, ...]) -> None:
        present = [array for array in arrays if array is not None]
        if not present:
            return
        if len(present) < len(arrays):
            raise InvalidInputError(f"{what} must be given for queries, database and training, or for none of them.")
        for array, rows in zip(present, (self.queries, self.database, self.training), strict=True):
            if array.shape != (len(rows),):
                raise ShapeError(f"{what} of {len(rows)} rows must have shape ({len(rows)},); got {array.shape}.")

    @property
    def n_training_in_database(self) -> int | None:
        """How many training rows are also database rows; None without ids."""
        return _n_common(self.training_ids, self.database_ids)

    @property
    def n_training_in_queries(self) -> int | None:
        """How many training rows are also queries (0 in every built-in protocol); None without ids."""
        return _n_common(self.training_ids, self.query_ids)


def seeded_order(n_rows: int, seed: int) -> NDArray[np.int64]:
    """Return the rows 0 to n_rows - 1 in an order that depends on the seed alone.

    Rows are sorted by the raw 64-bit stream of PCG64, which NumPy guarantees never to change, unlike
    ``Generator.permutation``.

    Examples
    --------
    >>> seeded_order(5, 0).tolist()
    [3, 2, 1, 0, 4]
    """
    if seed < 0:
        raise InvalidInputError(f"seed must be 0 or more; got {seed}.")
    keys = np.random.PCG64(seed).random_raw(n_rows)
    return np.argsort(keys, kind="stable").astype(np.int64)


def from_vectors(
    vectors: NDArray[Any],
    *,
    labels: ArrayLike | None = None,
    n_queries: int = 1000,
    seed: int = 0,
    hold_out: str = "random",
    name: str = "vectors",
) -> RetrievalData:
    """Hold out queries from an array; the rest is the database and what may be learnt from.

    Parameters
    ----------
    vectors : (n, d) array or memory map; never modified.
    labels : one class number a row, (n,).
    n_queries : rows held out, from 1 to n - 1.
    seed : of the choice of queries, for ``hold_out="random"``.
    hold_out : ``"random"``: queries are a seeded random sample and the other rows are gathered in order,
        those of a memory map over 1 GiB into an anonymous scratch file in the folder for temporary files
        (``TMPDIR``), so that memory stays bounded. ``"last"``: queries are the last rows and nothing is
        copied but them; only for files whose rows are in no order.
    name : of the data, for the record.

    Returns
    -------
    data : protocol ``holdout-random`` or ``holdout-last``; ``database`` and ``training`` are the same
        array; ``database_ids`` are its row numbers in ``vectors``.

    Raises
    ------
    ShapeError : vectors are not (n, d), or labels not (n,).
    InvalidInputError : n_queries, seed or hold_out is out of range.

    Examples
    --------
    >>> data = from_vectors(np.arange(10.0).reshape(5, 2), n_queries=2, seed=0)
    >>> data.query_ids, data.database_ids
    (array([2, 3]), array([0, 1, 4]))
    """
    if vectors.ndim != 2 or not vectors.size:
        raise ShapeError(f"vectors must have shape (n, d), not empty; got {vectors.shape}.")
    n_rows = len(vectors)
    if not 1 <= n_queries < n_rows:
        raise InvalidInputError(f"n_queries must lie from 1 to {n_rows - 1} for {n_rows} rows; got {n_queries}.")
    if hold_out not in ("random", "last"):
        raise InvalidInputError(f"hold_out must be 'random' or 'last'; got {hold_out!r}.")
    order = seeded_order(n_rows, seed) if hold_out == "random" else np.arange(n_rows)[::-1]
    query_ids, database_ids = np.sort(order[:n_queries]), np.sort(order[n_queries:])
    database = vectors[: n_rows - n_queries] if hold_out == "last" else _gather(vectors, database_ids)
    query_labels, database_labels = _split_labels(labels, n_rows, query_ids, database_ids)
    chosen = f"random rows, seed {seed}" if hold_out == "random" else "the last rows"
    return RetrievalData(
        name=name,
        protocol=f"holdout-{hold_out}",
        queries=np.array(vectors[query_ids]),
        database=database,
        training=database,
        query_labels=query_labels,
        database_labels=database_labels,
        training_labels=database_labels,
        query_ids=query_ids,
        database_ids=database_ids,
        training_ids=database_ids,
        description=(
            f"{name}: {n_queries} queries held out ({chosen}) of {n_rows} rows; the other {n_rows - n_queries} are "
            "the database; no query is among them."
        ),
        training_description="The database is the training part, too.",
    )


def _split_labels(
    labels: ArrayLike | None, n_rows: int, query_ids: NDArray[np.int64], database_ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    if labels is None:
        return None, None
    array = np.asarray(labels)
    if array.shape != (n_rows,):
        raise ShapeError(f"labels of {n_rows} rows must have shape ({n_rows},); got {array.shape}.")
    if array.dtype.kind not in "iu":
        raise InvalidInputError(f"labels must be integer class numbers; got {array.dtype}.")
    whole = array.astype(np.int64)
    return whole[query_ids], whole[database_ids]


def _gather(vectors: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return ``vectors[rows]``, in an anonymous file if a memory map's copy might not fit in memory."""
    shape = (len(rows), vectors.shape[1])
    n_bytes = shape[0] * shape[1] * vectors.itemsize
    if not _is_mapped(vectors) or n_bytes <= _COPY_IN_MEMORY_BYTES:
        return np.asarray(vectors)[rows]
    with tempfile.TemporaryFile(prefix="hammingway-") as scratch:
        # The map keeps the nameless file alive; it goes when the array does, or the process dies.
        copy = np.memmap(scratch, vectors.dtype, "w+", shape=shape)
    for part in row_chunks(len(rows), chunk_rows(shape, vectors.dtype)):
        copy[part] = vectors[rows[part]]
    return copy


def _is_mapped(array: NDArray[Any]) -> bool:
    base: Any = array
    while base is not None:
        if isinstance(base, np.memmap):
            return True
        base = getattr(base, "base", None)
    return False


def _check_disjoint(query_ids: NDArray[np.int64], database_ids: NDArray[np.int64]) -> None:
    queries, database = _ascending(query_ids, "queries"), _ascending(database_ids, "database")
    at = np.minimum(np.searchsorted(database, queries), len(database) - 1)
    common = queries[database[at] == queries]
    if len(common):
        raise InvalidInputError(
            f"{len(common)} queries are also in the database (row {common[0]} first); a query must not find itself."
        )


def _ascending(ids: NDArray[np.int64], part: str) -> NDArray[np.int64]:
    """Return ``ids`` sorted, or raise if one occurs twice; ids in order, the usual case, are not sorted again."""
    if np.all(ids[1:] > ids[:-1]):
        return ids
    ordered = np.sort(ids)
    if not np.all(np.diff(ordered) > 0):
        raise InvalidInputError(f"a row occurs twice among the ids of the {part}.")
    return ordered


def _n_common(one: NDArray[np.int64] | None, other: NDArray[np.int64] | None) -> int | None:
    return None if one is None or other is None else len(np.intersect1d(one, other))
