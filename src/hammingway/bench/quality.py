"""The numbers of one run: what its codes found, and how well they use their bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway import metrics
from hammingway.codes import Codes

__all__ = ["CURVE_RANKS", "code_health", "label_quality", "recall_quality"]

CURVE_RANKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
_MAP_RANKS = (1000, 5000)
_PRECISION_RANKS = (10, 100, 1000)
_LOOKUP_RADIUS = 2

Points = list[tuple[float, float]]


def recall_quality(
    ids: NDArray[np.int64], truth: NDArray[np.int64], *, k: int
) -> tuple[dict[str, float], dict[str, Points]]:
    """Return recall against the exact neighbours, by id.

    Parameters
    ----------
    ids : int64 (n_queries, >= ranks wanted), what the search returned.
    truth : int64 (n_queries, n_true).
    k : results asked for a query.

    Returns
    -------
    quality : 'r1@1', and 'rT@K' for T = n_true: the share of the true T in the first K results.
    curves : 'recall', points (K, rT@K) up to ``k``.
    """
    n_true = truth.shape[1]
    ranks = sorted({rank for rank in (*CURVE_RANKS, n_true, k) if rank <= ids.shape[1]})
    curve = [(float(rank), _mean(metrics.recall_at_k(ids, truth, k=rank))) for rank in ranks]
    by_rank = {int(rank): value for rank, value in curve}
    quality = {"r1@1": _mean(metrics.recall_at_k(ids, truth[:, :1], k=1))}
    quality |= {f"r{n_true}@{rank}": by_rank[rank] for rank in (n_true, 100, k) if rank in by_rank}
    return quality, {"recall": curve}


def label_quality(
    queries: Codes, database: Codes, labels: tuple[Any, Any]
) -> tuple[dict[str, float], dict[str, int], dict[str, Points]]:
    """Return tie-aware quality against class labels.

    Returns
    -------
    quality : 'mAP@all', 'mAP@R' (divided by min(R, relevant)), 'mAP@R hits only' (divided by the hits in the
        first R, as much published code does), 'P@K', and 'P@r<=2': precision within Hamming radius 2, an
        empty lookup counting 0. Ranks beyond the database are left out, and metrics that no query has.
    undefined : the metrics of which some queries have no value, nothing in the database being of their class, to how
        many; those are left out of the mean.
    curves : 'precision-recall', points (recall, precision) at about forty ranks from first to last.
    """
    counts = metrics.distance_counts(queries, database, labels)
    values = {"mAP@all": metrics.average_precision(counts)}
    for rank in _MAP_RANKS:
        if rank <= len(database):
            values[f"mAP@{rank}"] = metrics.average_precision_at(counts, rank)
            values[f"mAP@{rank} hits only"] = metrics.average_precision_at_hits_only(counts, rank)
    for rank in _PRECISION_RANKS:
        if rank <= len(database):
            values[f"P@{rank}"] = metrics.precision_at_k(counts, k=rank)
    radius = min(_LOOKUP_RADIUS, queries.n_bits)
    values[f"P@r<={radius}"] = metrics.precision_within_radius(counts, radius=radius)
    means = {name: metrics.mean_over_queries(one) for name, one in values.items()}
    return (
        {name: one.mean for name, one in means.items() if one.n_used},
        {name: one.n_undefined for name, one in means.items() if one.n_undefined},
        {"precision-recall": _precision_recall(counts)},
    )


def code_health(codes: Codes) -> dict[str, float]:
    """Return how well the codes use their bits.

    'bit balance' is the mean over bits (1: every bit is set in half the codes), 'entropy bits' that of whole
    codes, 'distinct share' the share of codes that are distinct, 'largest bucket share' that of the commonest.
    """
    occupancy = metrics.bucket_occupancy(codes)
    return {
        "bit balance": _mean(metrics.bit_balance(codes)),
        "entropy bits": metrics.code_entropy(codes),
        "distinct share": occupancy.n_buckets / occupancy.n_codes,
        "largest bucket share": occupancy.largest_share,
    }


def _precision_recall(counts: metrics.DistanceCounts) -> Points:
    ranks = _curve_ranks(int(counts.n_items.max()))
    curve = metrics.precision_recall_at_ranks(counts, ranks)
    return [
        (float(recall), float(precision))
        for recall, precision in zip(curve.recall, curve.precision, strict=True)
        if not (math.isnan(recall) or math.isnan(precision))
    ]


def _curve_ranks(n: int) -> list[int]:
    """Return about forty ranks from 1 to ``n``, evenly spread on a logarithmic scale."""
    return sorted({int(rank) for rank in np.geomspace(1, n, 40).round()})


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of values that are all defined, as recall of exact neighbours and bit balance always are."""
    return metrics.mean_over_queries(values).mean
