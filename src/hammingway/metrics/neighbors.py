"""Recall of a list of results against the exact neighbours, by id and by distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.metrics.relevance import check_truth_ids
from hammingway.metrics.ties import check_rank

__all__ = ["recall_at_k", "recall_at_k_by_distance"]

_CHUNK_CELLS = 1 << 22


def recall_at_k(ids: ArrayLike, truth: ArrayLike, *, k: int) -> NDArray[np.float64]:
    """Fraction of each query's exact neighbours found, by id, among its first ``k`` results.

    The denominator is ``n_true``, the columns of ``truth``: for the usual k-recall@k hand over
    ``truth[:, :k]``, for 1-recall@k ``truth[:, :1]``. A result that is listed twice counts once.

    Ties: none is resolved here. Where equal distances straddle rank ``k``, the value depends on which of
    the equals the search returned; see :func:`recall_at_k_by_distance` and :func:`expected_recall_at_k`.

    Parameters
    ----------
    ids : int64 (n_queries, >= k), best first; -1 marks an empty place.
    truth : int64 (n_queries, n_true), the exact neighbours; never -1, none twice.
    k : results counted a query, >= 1.

    Returns
    -------
    recall : float64 (n_queries,), in [0, 1].

    Raises
    ------
    ShapeError : ids and truth differ in n_queries, or ids has under k columns.
    InvalidInputError : ids or truth are not integers, truth holds a negative id or one id twice.

    Examples
    --------
    >>> recall_at_k(np.array([[4, 7, -1]]), np.array([[4, 9]]), k=2)
    array([0.5])
    """
    found = _first_k(ids, check_rank(k, "k"), "ids")
    if found.dtype.kind not in "iu":
        raise InvalidInputError(f"ids must be integers; got {found.dtype}. Scores are compared by another metric.")
    wanted = check_truth_ids(truth, len(found))
    n_rows = max(1, _CHUNK_CELLS // (found.shape[1] * wanted.shape[1]))
    recall = np.empty(len(found))
    for start in range(0, len(found), n_rows):
        rows = slice(start, start + n_rows)
        recall[rows] = np.any(wanted[rows, :, np.newaxis] == found[rows, np.newaxis], axis=2).mean(axis=1)
    return recall


def recall_at_k_by_distance(distances: ArrayLike, true_distances: ArrayLike, *, k: int) -> NDArray[np.float64]:
    """Fraction of the first ``k`` results that lie no farther than the exact ``k``-th neighbour.

    The denominator is ``k``. Ties are tolerated: any item as near as the ``k``-th counts, whichever of the
    equals it is. The tolerance is 0, so both arrays must be made by the same computation, in integer bits
    or in one float type; one absolute tolerance for all data would count wrong results as found.

    Parameters
    ----------
    distances : (n_queries, >= k), distances of distinct results in the space of the truth, best first; an
        empty place is inf, or any integer above the true distances (``n_bits + 1`` in our indexes).
    true_distances : (n_queries, >= k), distances of the exact neighbours, ascending, of the same dtype kind;
        floats also of the same width.
    k : results counted a query, >= 1.

    Returns
    -------
    recall : float64 (n_queries,), in [0, 1].

    Raises
    ------
    ShapeError : the arrays differ in n_queries or have under k columns.
    InvalidInputError : nan, infinite or descending true distances, or two types that do not compare exactly.

    References
    ----------
    Aumüller, Bernhardsson & Faithfull, "ANN-Benchmarks", Information Systems 87, 2020, section 3.3. Deviates:
    tolerance 0 in place of 1e-3.

    Examples
    --------
    >>> recall_at_k_by_distance([[1, 2, 2]], [[1, 1, 2]], k=3)
    array([1.])
    >>> recall_at_k_by_distance([[1, 2, 2]], [[1, 1, 2]], k=2)
    array([0.5])
    """
    rank = check_rank(k, "k")
    found, exact = _first_k(distances, rank, "distances"), _first_k(true_distances, rank, "true_distances")
    if len(found) != len(exact):
        raise ShapeError(f"distances and true_distances must have one row a query; got {len(found)} and {len(exact)}.")
    _check_comparable(found, exact)
    within: NDArray[np.float64] = (found <= exact[:, -1:]).sum(axis=1) / rank
    return within


def _first_k(values: ArrayLike, k: int, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] < k:
        raise ShapeError(f"{name} must have shape (n_queries, >= {k}) for k={k}; got {array.shape}.")
    return array[:, :k]


def _check_comparable(found: NDArray[Any], exact: NDArray[Any]) -> None:
    both_integers = found.dtype.kind in "iu" and exact.dtype.kind in "iu"
    if not both_integers and not (found.dtype == exact.dtype and found.dtype.kind == "f"):
        raise InvalidInputError(
            "distances and true_distances must both be integers, or floats of one width, since rounding would decide "
            f"between equals; got {found.dtype} and {exact.dtype}."
        )
    if not both_integers and (np.isnan(found).any() or not np.isfinite(exact).all()):
        raise InvalidInputError("distances must not be nan, and true_distances must be finite; check the vectors.")
    if np.any(exact[:, 1:] < exact[:, :-1]):
        raise InvalidInputError("true_distances must be ascending in each row; sort them, nearest first.")
