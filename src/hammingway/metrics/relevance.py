"""Who is relevant to whom, and at which Hamming distances they lie.

Each class answers two questions about a block of a distance matrix: how far the relevant items
lie (:meth:`add_counts`), and whether single pairs are relevant (:meth:`of_pairs`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError

__all__ = ["Relevance", "SameLabel", "SharedLabel", "TruthIds", "as_relevance"]


class Relevance(Protocol):
    """What :func:`hammingway.metrics.distance_counts` needs to know of a relevance."""

    order: NDArray[np.intp] | None
    """The order in which database rows are wanted as columns; None for their own order."""
    bytes_a_pair: int
    """Memory that :meth:`add_counts` takes for each (query, database) pair, beside the distances."""

    def add_counts(
        self, distances: NDArray[np.uint16], rows: slice, columns: slice, *, counts: NDArray[np.int64]
    ) -> None:
        """Add to ``counts[rows]`` how many relevant items of this block lie at each distance."""

    def of_pairs(self, queries: NDArray[np.intp], database_rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether database row ``database_rows[i]`` is relevant to query ``queries[i]``."""


class SameLabel:
    """Relevant: the class ids are equal.

    Database rows are wanted in the order of their class, so that the relevant items of a query are
    one run of columns and need no mask.
    """

    bytes_a_pair = 0

    def __init__(self, query_labels: NDArray[np.generic], database_labels: NDArray[np.generic]) -> None:
        if np.result_type(query_labels, database_labels).kind == "f":  # int64 and uint64 have no common integer type
            query_labels, database_labels = query_labels.astype(object), database_labels.astype(object)
        _, joint = np.unique(np.concatenate([query_labels, database_labels]), return_inverse=True)
        self.query_classes, self.database_classes = np.split(joint, [len(query_labels)])
        self.order: NDArray[np.intp] | None = np.argsort(self.database_classes, kind="stable")
        classes = self.database_classes[self.order]
        self.starts = np.searchsorted(classes, self.query_classes, side="left")
        self.stops = np.searchsorted(classes, self.query_classes, side="right")

    def add_counts(
        self, distances: NDArray[np.uint16], rows: slice, columns: slice, *, counts: NDArray[np.int64]
    ) -> None:
        starts = np.clip(self.starts[rows], columns.start, columns.stop) - columns.start
        stops = np.clip(self.stops[rows], columns.start, columns.stop) - columns.start
        for row, start, stop, row_counts in zip(distances, starts, stops, counts[rows], strict=True):
            if start < stop:
                row_counts += np.bincount(row[start:stop], minlength=len(row_counts))

    def of_pairs(self, queries: NDArray[np.intp], database_rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        return np.asarray(self.query_classes[queries] == self.database_classes[database_rows])


class SharedLabel:
    """Relevant: the two items share at least one label."""

    order: NDArray[np.intp] | None = None
    bytes_a_pair = 5  # a float32 number of shared labels, then a bool

    def __init__(self, query_indicator: NDArray[np.generic], database_indicator: NDArray[np.generic]) -> None:
        # float32 counts shared labels exactly below 2 ** 24 classes, and multiplies fast.
        self.query_indicator = np.asarray(query_indicator, dtype=np.float32)
        self.database_indicator = np.asarray(database_indicator, dtype=np.float32)

    def add_counts(
        self, distances: NDArray[np.uint16], rows: slice, columns: slice, *, counts: NDArray[np.int64]
    ) -> None:
        shared = self.query_indicator[rows] @ self.database_indicator[columns].T > 0
        for row, mask, row_counts in zip(distances, shared, counts[rows], strict=True):
            row_counts += np.bincount(row[mask], minlength=len(row_counts))

    def of_pairs(self, queries: NDArray[np.intp], database_rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        both = (self.query_indicator[queries] > 0) & (self.database_indicator[database_rows] > 0)
        return np.asarray(both.any(axis=1))


class TruthIds:
    """Relevant: the listed database rows, the same number for every query."""

    order: NDArray[np.intp] | None = None
    bytes_a_pair = 0

    def __init__(self, truth: NDArray[np.int64]) -> None:
        self.truth = truth

    def add_counts(
        self, distances: NDArray[np.uint16], rows: slice, columns: slice, *, counts: NDArray[np.int64]
    ) -> None:
        queries, places = np.nonzero((self.truth[rows] >= columns.start) & (self.truth[rows] < columns.stop))
        found = distances[queries, self.truth[rows][queries, places] - columns.start]
        np.add.at(counts[rows], (queries, found), 1)

    def of_pairs(self, queries: NDArray[np.intp], database_rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        listed = self.truth[queries] == database_rows[:, np.newaxis]
        return np.asarray(listed.any(axis=1))


def as_relevance(relevant: object, n_queries: int, n_database: int) -> Relevance:
    """Return the relevance that ``relevant`` describes, checked against the numbers of codes.

    Parameters
    ----------
    relevant : ``(query_labels, database_labels)``, or exact neighbours as database rows (n_queries, n_true).
    n_queries, n_database : codes on either side.

    Raises
    ------
    InvalidInputError, ShapeError : as :func:`hammingway.metrics.distance_counts` says.
    """
    if isinstance(relevant, tuple):
        if len(relevant) != 2:
            raise ShapeError(f"labels must be a pair (query_labels, database_labels); got {len(relevant)} items.")
        return _labels(np.asarray(relevant[0]), np.asarray(relevant[1]), (n_queries, n_database))
    return TruthIds(_truth(np.asarray(relevant), n_queries, n_database))


def _labels(
    query: NDArray[np.generic], database: NDArray[np.generic], sizes: tuple[int, int]
) -> SameLabel | SharedLabel:
    if (len(query), len(database)) != sizes if query.ndim and database.ndim else True:
        raise ShapeError(
            f"there must be one label a code, {sizes[0]} for the queries and {sizes[1]} for the database; "
            f"got label arrays of shapes {query.shape} and {database.shape}."
        )
    if query.ndim == database.ndim == 1:
        if query.size and database.size and _text_kind(query) != _text_kind(database):
            raise InvalidInputError(
                f"labels of queries and database must both be integers or both strings; got {query.dtype} and "
                f"{database.dtype}. Convert one of them."
            )
        return SameLabel(_class_ids(query), _class_ids(database))
    if query.ndim == database.ndim == 2 and query.shape[1] == database.shape[1] > 1:
        return SharedLabel(_indicator(query), _indicator(database))
    raise ShapeError(
        "labels must be class ids (n,) on both sides, or 0/1 indicators (n, n_classes > 1) on both sides; "
        f"got shapes {query.shape} and {database.shape}. Flatten a single column of class ids."
    )


def _text_kind(labels: NDArray[np.generic]) -> str | None:
    """Return "S" for bytes, "U" for strings, and None for labels that are no text."""
    return labels.dtype.kind if labels.dtype.kind in "SU" else None


def _class_ids(labels: NDArray[np.generic]) -> NDArray[np.generic]:
    if labels.dtype.kind not in "biuUS":
        raise InvalidInputError(f"class ids must be integers or strings; got {labels.dtype}. Convert them first.")
    return labels


def _indicator(labels: NDArray[np.generic]) -> NDArray[np.generic]:
    if labels.dtype.kind not in "biuf" or not np.all((labels == 0) | (labels == 1)):
        raise InvalidInputError(
            "two-dimensional labels must be 0/1 indicators (n, n_classes); for one class id an item use shape (n,)."
        )
    return labels


def _truth(truth: NDArray[np.generic], n_queries: int, n_database: int) -> NDArray[np.int64]:
    ids = check_truth_ids(truth, n_queries)
    if ids.size and ids.max() >= n_database:
        raise InvalidInputError(
            f"exact neighbours must be rows of the database, 0 to {n_database - 1}; got {ids.max()}. "
            "Turn other ids into row numbers first."
        )
    return ids


def check_truth_ids(truth: ArrayLike, n_queries: int) -> NDArray[np.int64]:
    """Return the exact neighbours of ``n_queries`` queries as int64 (n_queries, n_true).

    Raises
    ------
    ShapeError : not two-dimensional, no column, or another number of rows.
    InvalidInputError : not integers, a negative id, or one id twice in a row.
    """
    ids = np.asarray(truth)
    if ids.ndim != 2 or len(ids) != n_queries or ids.shape[1] == 0:
        raise ShapeError(f"exact neighbours must have shape ({n_queries}, n_true >= 1); got {ids.shape}.")
    if ids.dtype.kind not in "iu":
        raise InvalidInputError(f"exact neighbours must be integer ids; got {ids.dtype}.")
    ids = ids.astype(np.int64, copy=False)
    if ids.size and ids.min() < 0:
        raise InvalidInputError("exact neighbours must not be negative; there is no empty place in a ground truth.")
    ordered = np.sort(ids, axis=1)
    if np.any(ordered[:, 1:] == ordered[:, :-1]):
        raise InvalidInputError("a query's exact neighbours name one id twice; each may be listed once.")
    return ids
