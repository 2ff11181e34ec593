"""Average precision and its relatives, as expectations over the order within equal distances.

A Hamming ranking ties massively, and the order among equals is an accident of the database. The
values here are the means over all those orders, in closed form: McSherry & Najork, "Computing
information retrieval performance measures efficiently in the presence of tied scores", ECIR 2008.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hammingway.metrics.counts import DistanceCounts
from hammingway.metrics.division import divide
from hammingway.metrics.ties import TieGroups, check_rank, harmonic_difference, in_blocks, tie_groups

__all__ = [
    "average_precision",
    "average_precision_at",
    "average_precision_at_hits_only",
    "expected_recall_at_k",
    "ndcg",
    "ndcg_at_k",
    "precision_at_k",
]


def average_precision(counts: DistanceCounts) -> NDArray[np.float64]:
    """Average precision over the whole ranking; its mean over queries is mAP@all.

    The denominator is the number of relevant items in the database.

    Parameters
    ----------
    counts : DistanceCounts of the queries.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; nan where the database holds no relevant item.

    Notes
    -----
    A group of ``n`` equals with ``r`` relevant, after ``N`` items with ``C`` relevant, adds the sum over its
    places ``i`` of ``r/n * (C + 1 + (i - 1) (r - 1) / (n - 1)) / (N + i)``: the chance that place ``i`` is
    relevant times the precision expected there if it is.

    References
    ----------
    McSherry & Najork, ECIR 2008, section 2.4 (average precision). Deviates: the sum over places is taken in
    closed form by harmonic numbers, so the cost does not depend on the size of the database.

    Examples
    --------
    One relevant item tied with one other: rank 1 or 2, so 1 or 1/2.

    >>> average_precision(DistanceCounts(np.array([[1, 0]]), np.array([[2, 0]])))
    array([0.75])
    """
    return in_blocks(
        counts, lambda part: divide(_precision_sums(part, None).sum(axis=1), part.n_relevant, undefined=np.nan)
    )


def average_precision_at(counts: DistanceCounts, R: int) -> NDArray[np.float64]:
    """Average precision over the first ``R`` ranks, divided by min(R, relevant); its mean is mAP@R.

    A perfect ranking has the value 1, and a hit more never lowers it. Compare
    :func:`average_precision_at_hits_only`, the other denominator in use.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    R : ranks counted, >= 1; from the size of the database on, this is :func:`average_precision`.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; nan where the database holds no relevant item.

    Raises
    ------
    InvalidInputError : ``R`` is not a whole number of at least 1.

    References
    ----------
    McSherry & Najork, ECIR 2008, section 2.4, cut inside a group as in their section on precision at k.

    Examples
    --------
    Two relevant items, one found at rank 1 of 3; then one at rank 1 and one at rank 3.

    >>> counts = DistanceCounts(np.array([[1, 0, 0, 1], [1, 0, 1, 0]]), np.array([[1, 1, 1, 1]] * 2))
    >>> average_precision_at(counts, 3)
    array([0.5       , 0.83333333])
    """
    cut = check_rank(R, "R")
    return in_blocks(
        counts,
        lambda part: divide(_precision_sums(part, cut).sum(axis=1), np.minimum(part.n_relevant, cut), undefined=np.nan),
    )


def average_precision_at_hits_only(counts: DistanceCounts, R: int) -> NDArray[np.float64]:
    """Average precision over the first ``R`` ranks, divided by the relevant items **found there**.

    Many hashing repositories report this as mAP@R. It is no measure of quality: a single hit at rank 1
    scores 1 however many are missed, so it rewards [+ - -] over [+ - +]. It is here to compare with
    numbers published that way, and never belongs in a column with :func:`average_precision_at`.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    R : ranks counted, >= 1.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; 0 for an order without a hit (some repositories skip such
        queries instead, which inflates their mean); nan where the database holds no relevant item.

    Raises
    ------
    InvalidInputError : ``R`` is not a whole number of at least 1.

    Notes
    -----
    The denominator depends on the order where rank ``R`` falls inside a group of equals: the hits in the
    ``m`` places taken from it are hypergeometric, and the value is the mean over their number.

    Examples
    --------
    >>> counts = DistanceCounts(np.array([[1, 0, 0, 1], [1, 0, 1, 0]]), np.array([[1, 1, 1, 1]] * 2))
    >>> average_precision_at_hits_only(counts, 3)
    array([1.        , 0.83333333])
    """
    cut = check_rank(R, "R")
    return in_blocks(counts, lambda part: _hits_only(part, cut))


def precision_at_k(counts: DistanceCounts, *, k: int) -> NDArray[np.float64]:
    """Expected fraction of the first ``k`` ranks that is relevant.

    The denominator is ``k``, even where fewer than ``k`` items exist: an empty place is no hit.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    k : ranks counted, >= 1.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; 0 where the database holds no relevant item.

    Raises
    ------
    InvalidInputError : ``k`` is not a whole number of at least 1.

    References
    ----------
    McSherry & Najork, ECIR 2008, section 2.1 (precision).

    Examples
    --------
    >>> precision_at_k(DistanceCounts(np.array([[1, 1]]), np.array([[1, 2]])), k=2)
    array([0.75])
    """
    cut = check_rank(k, "k")
    return in_blocks(counts, lambda part: _expected_hits(part, cut) / cut)


def expected_recall_at_k(counts: DistanceCounts, *, k: int) -> NDArray[np.float64]:
    """Expected fraction of all relevant items that is among the first ``k`` ranks.

    The denominator is the number of relevant items in the database. With counts of exact neighbours, this
    is :func:`recall_at_k` freed from the accident of the ids among equals.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    k : ranks counted, >= 1.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; nan where the database holds no relevant item.

    Raises
    ------
    InvalidInputError : ``k`` is not a whole number of at least 1.

    References
    ----------
    McSherry & Najork, ECIR 2008, section 2.2 (recall).

    Examples
    --------
    >>> expected_recall_at_k(DistanceCounts(np.array([[1, 1]]), np.array([[1, 2]])), k=2)
    array([0.75])
    """
    cut = check_rank(k, "k")
    return in_blocks(counts, lambda part: divide(_expected_hits(part, cut), part.n_relevant, undefined=np.nan))


def ndcg(counts: DistanceCounts) -> NDArray[np.float64]:
    """Expected normalised discounted cumulative gain of the whole ranking, gains 0 and 1.

    The denominator is the gain of the best order: every relevant item before any other.

    Parameters
    ----------
    counts : DistanceCounts of the queries.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; nan where the database holds no relevant item.

    References
    ----------
    Järvelin & Kekäläinen, ACM TOIS 20(4), 2002, with discount 1/log2(1 + rank); ties as in McSherry & Najork,
    ECIR 2008, section 2.6.

    Examples
    --------
    >>> ndcg(DistanceCounts(np.array([[1, 0]]), np.array([[2, 0]]))).round(4)
    array([0.8155])
    """
    n_items = int(counts.n_items.max(initial=0))
    return in_blocks(counts, lambda part: _ndcg(part, _discount_sums(n_items)))


def ndcg_at_k(counts: DistanceCounts, *, k: int) -> NDArray[np.float64]:
    """Expected normalised discounted cumulative gain of the first ``k`` ranks, gains 0 and 1.

    The denominator is the gain of the best order cut at ``k``: min(k, relevant) relevant items first.

    Parameters
    ----------
    counts : DistanceCounts of the queries.
    k : ranks counted, >= 1.

    Returns
    -------
    values : float64 (n_queries,), in [0, 1]; nan where the database holds no relevant item.

    Raises
    ------
    InvalidInputError : ``k`` is not a whole number of at least 1.

    References
    ----------
    As :func:`ndcg`.

    Examples
    --------
    >>> ndcg_at_k(DistanceCounts(np.array([[1, 0]]), np.array([[2, 0]])), k=1)
    array([0.5])
    """
    n_ranks = min(check_rank(k, "k"), int(counts.n_items.max(initial=0)))
    return in_blocks(counts, lambda part: _ndcg(part, _discount_sums(n_ranks)))


def _expected_hits(counts: DistanceCounts, k: int) -> NDArray[np.float64]:
    """Relevant items expected among the first ``k`` ranks."""
    groups = tie_groups(counts)
    hits: NDArray[np.float64] = (groups.taken(k) * groups.density).sum(axis=1)
    return hits


def _precision_sums(counts: DistanceCounts, cut: int | None) -> NDArray[np.float64]:
    """Return, for each (query, distance), the expected sum of the precisions at its relevant items.

    With s = (r - 1)/(n - 1), the sum of (C + 1 + (i - 1) s)/(N + i) over the first m places of a group is
    m s + (C + 1 - s (N + 1)) (H(N + m) - H(N)); times r/n, the chance that a place is relevant.
    """
    groups = tie_groups(counts)
    taken = groups.size if cut is None else groups.taken(cut)
    slope = (groups.relevant - 1) / np.maximum(groups.size - 1, 1)
    return groups.density * _place_sum(groups, taken, slope)


def _place_sum(groups: TieGroups, taken: NDArray[np.float64], slope: NDArray[np.float64]) -> NDArray[np.float64]:
    harmonic = harmonic_difference(groups.before, groups.before + taken)
    return taken * slope + (groups.relevant_before + 1 - slope * (groups.before + 1)) * harmonic


def _hits_only(counts: DistanceCounts, cut: int) -> NDArray[np.float64]:
    groups = tie_groups(counts)
    taken = groups.taken(cut)
    whole = taken == groups.size
    sums = np.where(whole, _precision_sums(counts, cut), 0.0).sum(axis=1)
    hits = np.where(whole, groups.relevant, 0.0).sum(axis=1)
    values = divide(sums, hits, undefined=0.0)
    for query, distance in zip(*np.nonzero(~whole & (taken > 0) & (groups.relevant > 0)), strict=True):
        group = (part[query, distance] for part in (groups.size, groups.relevant, taken, groups.before))
        values[query] = _expected_share(*group, hits_before=hits[query], sum_before=sums[query])
    values[counts.n_relevant == 0] = np.nan
    return values


def _expected_share(
    size: float, relevant: float, taken: float, before: float, *, hits_before: float, sum_before: float
) -> float:
    """Mean of (sum of precisions) / hits when ``taken`` of ``size`` tied items are within the cut.

    Given ``h`` hits among the places taken, these places are themselves a group of ``taken`` items with ``h``
    relevant, and the sum of precisions at its hits follows as in :func:`_precision_sums`.
    """
    hits, chance = _hypergeometric(int(size), int(relevant), int(taken))
    slope = (hits - 1) / max(taken - 1, 1)
    harmonic = harmonic_difference(np.array(before), np.array(before + taken))
    inside = hits / taken * (taken * slope + (hits_before + 1 - slope * (before + 1)) * harmonic)
    found = hits_before + hits
    shares = divide(sum_before + inside, found, undefined=0.0)
    return float(chance @ shares)


def _hypergeometric(size: int, relevant: int, taken: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the possible numbers of relevant items among ``taken`` of ``size``, and their chances.

    Chances come from the ratios of neighbours: sums of logarithms of ratios keep digits that differences of
    logarithms of factorials lose.
    """
    hits = np.arange(max(0, taken + relevant - size), min(taken, relevant) + 1, dtype=np.float64)
    step = hits[:-1]
    up = np.log((relevant - step) * (taken - step)) - np.log((step + 1) * (size - relevant - taken + step + 1))
    logs = np.concatenate([[0.0], np.cumsum(up)])
    weights = np.exp(logs - logs.max())
    return hits, weights / weights.sum()


def _discount_sums(n_ranks: int) -> NDArray[np.float64]:
    """Return the sums of 1/log2(1 + rank) over the first 0, 1, ..., n_ranks ranks."""
    return np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2.0, n_ranks + 2)))])


def _ndcg(counts: DistanceCounts, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    groups = tie_groups(counts)
    n_ranks = len(sums) - 1
    first = np.minimum(groups.before, n_ranks).astype(np.intp)
    last = np.minimum(groups.before + groups.size, n_ranks).astype(np.intp)
    gain = (groups.density * (sums[last] - sums[first])).sum(axis=1)
    n_relevant = counts.n_relevant
    best = sums[np.minimum(n_relevant, n_ranks)]  # 0 where nothing is relevant
    # Differences of sums round: a perfect ranking must not end one unit in the last place above 1.
    return np.minimum(divide(gain, best, undefined=np.nan), 1.0)
