"""Hamming-radius lookup and precision-recall curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError
from hammingway.metrics.counts import DistanceCounts
from hammingway.metrics.division import divide
from hammingway.metrics.precision import expected_recall_at_k, precision_at_k
from hammingway.metrics.ties import check_rank

__all__ = [
    "PrecisionRecallCurve",
    "precision_recall_at_ranks",
    "precision_recall_curve",
    "precision_within_radius",
    "recall_within_radius",
    "retrieved_within_radius",
]


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionRecallCurve:
    """Precision and recall at growing thresholds, averaged over the queries that have a relevant item.

    Parameters
    ----------
    thresholds : int64 (n_points,), ascending: Hamming radii in bits, or ranks.
    precision, recall : float64 (n_points,), in [0, 1]; nan where undefined.
    average : "macro" (mean of the queries' values) or "micro" (quotient of sums over the queries).
    n_used, n_undefined : queries with and without a relevant item; the latter take no part.
    """

    thresholds: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    average: Literal["macro", "micro"]
    n_used: int
    n_undefined: int


def precision_within_radius(counts: DistanceCounts, *, radius: int) -> NDArray[np.float64]:
    """Fraction of the items within ``radius`` bits that is relevant; a lookup that finds nothing has 0.

    The denominator is the number of items found. No tie rule is needed: a radius takes all equals.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    radius : largest distance found, in bits, 0 to n_bits.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; 0 where nothing was found, and where nothing is relevant.

    Raises
    ------
    InvalidInputError : ``radius`` is not a whole number from 0 to n_bits.

    References
    ----------
    Liu, Wang, Ji, Jiang & Chang, "Supervised hashing with kernels", CVPR 2012, section 4: failed lookups
    count as zero precision.

    Examples
    --------
    >>> counts = DistanceCounts(np.array([[1, 1, 0], [0, 1, 0]]), np.array([[1, 3, 0], [0, 1, 3]]))
    >>> precision_within_radius(counts, radius=1), precision_within_radius(counts, radius=0)
    (array([0.5, 1. ]), array([1., 0.]))
    """
    found = retrieved_within_radius(counts, radius=radius)
    hits = counts.relevant[:, : radius + 1].sum(axis=1)
    return divide(hits, found, undefined=0.0)


def recall_within_radius(counts: DistanceCounts, *, radius: int) -> NDArray[np.float64]:
    """Fraction of all relevant items that lies within ``radius`` bits.

    The denominator is the number of relevant items in the database.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    radius : largest distance found, in bits, 0 to n_bits.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; nan where the database holds no relevant item.

    Raises
    ------
    InvalidInputError : ``radius`` is not a whole number from 0 to n_bits.

    Examples
    --------
    >>> recall_within_radius(DistanceCounts(np.array([[1, 1, 2]]), np.array([[1, 3, 2]])), radius=1)
    array([0.5])
    """
    hits = counts.relevant[:, : _check_radius(radius, counts) + 1].sum(axis=1)
    return divide(hits, counts.n_relevant, undefined=np.nan)


def retrieved_within_radius(counts: DistanceCounts, *, radius: int) -> NDArray[np.float64]:
    """Number of items within ``radius`` bits: what a lookup costs, and 0 where it fails.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    radius : largest distance found, in bits, 0 to n_bits.

    Returns
    -------
    values : float64 (n_queries,), items.

    Raises
    ------
    InvalidInputError : ``radius`` is not a whole number from 0 to n_bits.

    Examples
    --------
    >>> retrieved_within_radius(DistanceCounts(np.array([[1, 1, 2]]), np.array([[1, 3, 2]])), radius=1)
    array([4.])
    """
    found: NDArray[np.int64] = counts.total[:, : _check_radius(radius, counts) + 1].sum(axis=1)
    return found.astype(np.float64)


def precision_recall_curve(
    counts: DistanceCounts, *, average: Literal["macro", "micro"] = "macro"
) -> PrecisionRecallCurve:
    """Precision and recall within every radius from 0 to ``n_bits``.

    Parameters
    ----------
    counts : DistanceCounts of the queries; those without a relevant item are left out and counted.
    average : "macro" is the mean over queries of :func:`precision_within_radius` (a failed lookup is 0) and
        :func:`recall_within_radius`; "micro" divides the hits of all queries by the items found by all,
        and by the relevant items of all, so queries that find much weigh more; nan where none finds any.

    Returns
    -------
    curve : PrecisionRecallCurve over n_bits + 1 radii.

    Raises
    ------
    InvalidInputError : another ``average``.

    Examples
    --------
    >>> counts = DistanceCounts(np.array([[1, 1], [0, 1]]), np.array([[1, 3], [0, 1]]))
    >>> precision_recall_curve(counts).precision
    array([0.5 , 0.75])
    >>> precision_recall_curve(counts, average="micro").precision
    array([1. , 0.6])
    """
    if average not in ("macro", "micro"):
        raise InvalidInputError(f"average must be 'macro' or 'micro'; got {average!r}.")
    used = counts[counts.n_relevant > 0]
    hits, found = np.cumsum(used.relevant, axis=1), np.cumsum(used.total, axis=1)
    if average == "micro":
        hits, found = hits.sum(axis=0, keepdims=True), found.sum(axis=0, keepdims=True)
    failed = 0.0 if average == "macro" else np.nan
    precision = divide(hits, found, undefined=failed)
    recall = divide(hits, hits[:, -1:], undefined=np.nan)
    return _curve(np.arange(counts.n_bits + 1), precision, recall, average=average, counts=counts)


def precision_recall_at_ranks(counts: DistanceCounts, ranks: Sequence[int]) -> PrecisionRecallCurve:
    """Precision and recall in the first ``k`` ranks for every ``k`` in ``ranks``, tie-aware, macro average.

    Parameters
    ----------
    counts : DistanceCounts of the queries; those without a relevant item are left out and counted.
    ranks : ascending whole numbers of at least 1.

    Returns
    -------
    curve : PrecisionRecallCurve; thresholds are the ranks, precision is the mean of
        :func:`precision_at_k` (denominator k), recall that of :func:`expected_recall_at_k`.

    Raises
    ------
    InvalidInputError : a rank below 1, or ranks that do not ascend.

    Examples
    --------
    >>> counts = DistanceCounts(np.array([[1, 1]]), np.array([[1, 2]]))
    >>> curve = precision_recall_at_ranks(counts, [1, 2, 3])
    >>> curve.precision.round(3), curve.recall
    (array([1.   , 0.75 , 0.667]), array([0.5 , 0.75, 1.  ]))
    """
    checked = [check_rank(rank, "each of ranks") for rank in ranks]
    if any(later <= earlier for earlier, later in pairwise(checked)):
        raise InvalidInputError("ranks must ascend, each named once; sort them.")
    used = counts[counts.n_relevant > 0]
    shape = (len(used), len(checked))
    precision, recall = np.empty(shape), np.empty(shape)
    for column, rank in enumerate(checked):
        precision[:, column] = precision_at_k(used, k=rank)
        recall[:, column] = expected_recall_at_k(used, k=rank)
    return _curve(np.array(checked), precision, recall, average="macro", counts=counts)


def _curve(
    thresholds: NDArray[np.int64],
    precision: NDArray[np.float64],
    recall: NDArray[np.float64],
    *,
    average: Literal["macro", "micro"],
    counts: DistanceCounts,
) -> PrecisionRecallCurve:
    """Average (n_rows, n_points) values over their rows; nan where there is no query to average."""
    n_undefined = counts.n_queries_without_relevant
    n_used = len(counts) - n_undefined
    means = [np.mean(part, axis=0) if n_used else np.full(len(thresholds), np.nan) for part in (precision, recall)]
    return PrecisionRecallCurve(thresholds.astype(np.int64), means[0], means[1], average, n_used, n_undefined)


def _check_radius(radius: object, counts: DistanceCounts) -> int:
    if isinstance(radius, bool) or not isinstance(radius, int | np.integer) or not 0 <= radius <= counts.n_bits:
        raise InvalidInputError(f"radius must be a whole number of bits from 0 to {counts.n_bits}; got {radius!r}.")
    return int(radius)
