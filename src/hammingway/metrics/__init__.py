"""Measures of search quality and of codes: pure functions, tie-aware, each with a stated denominator.

Metrics of a ranking return one value a query; :func:`mean_over_queries` averages them. What each name
means is in ``docs/explanation/metrics.md``.
"""

from __future__ import annotations

from hammingway.metrics.catalog import Metric
from hammingway.metrics.codes import (
    BucketOccupancy,
    bit_balance,
    bit_correlation,
    bucket_occupancy,
    code_entropy,
    mean_absolute_bit_correlation,
)
from hammingway.metrics.counts import DistanceCounts, distance_counts
from hammingway.metrics.lookup import (
    PrecisionRecallCurve,
    precision_recall_at_ranks,
    precision_recall_curve,
    precision_within_radius,
    recall_within_radius,
    retrieved_within_radius,
)
from hammingway.metrics.neighbors import recall_at_k, recall_at_k_by_distance
from hammingway.metrics.precision import (
    average_precision,
    average_precision_at,
    average_precision_at_hits_only,
    expected_recall_at_k,
    ndcg,
    ndcg_at_k,
    precision_at_k,
)
from hammingway.metrics.summary import QueryMean, mean_over_queries

__all__ = [
    "BucketOccupancy",
    "DistanceCounts",
    "Metric",
    "PrecisionRecallCurve",
    "QueryMean",
    "average_precision",
    "average_precision_at",
    "average_precision_at_hits_only",
    "bit_balance",
    "bit_correlation",
    "bucket_occupancy",
    "code_entropy",
    "distance_counts",
    "expected_recall_at_k",
    "mean_absolute_bit_correlation",
    "mean_over_queries",
    "ndcg",
    "ndcg_at_k",
    "precision_at_k",
    "precision_recall_at_ranks",
    "precision_recall_curve",
    "precision_within_radius",
    "recall_at_k",
    "recall_at_k_by_distance",
    "recall_within_radius",
    "retrieved_within_radius",
]
