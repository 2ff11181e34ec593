"""The per-query metrics by name, as entry points of the group ``hammingway.metrics`` list them.

A metric that needs a parameter takes it by keyword, under the name in ``parameter``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hammingway.metrics import lookup, neighbors, precision

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric with one value a query, and how to read it.

    Parameters
    ----------
    name : as registered.
    unit : of its values, "fraction" (0 to 1) or "items".
    higher_is_better : which way improvement goes.
    reads : what ``function`` takes: "counts" (a DistanceCounts), "ids" (ids, exact ids) or "distances"
        (distances, exact distances).
    parameter : name of the function's keyword, or None.
    function : returns float64 (n_queries,); averaged by :func:`hammingway.metrics.mean_over_queries`.

    Examples
    --------
    >>> from hammingway.registry import load
    >>> metric = load("metrics", "recall-at-k")
    >>> metric.function([[4, 7]], [[4, 9]], **{metric.parameter: 2}), metric.unit
    (array([0.5]), 'fraction')
    """

    name: str
    unit: Literal["fraction", "items"]
    higher_is_better: bool
    reads: Literal["counts", "ids", "distances"]
    parameter: str | None
    function: Callable[..., NDArray[np.float64]]


def _fraction_of_counts(name: str, parameter: str | None, function: Callable[..., NDArray[np.float64]]) -> Metric:
    return Metric(
        name=name, unit="fraction", higher_is_better=True, reads="counts", parameter=parameter, function=function
    )


AVERAGE_PRECISION = _fraction_of_counts("average-precision", None, precision.average_precision)
AVERAGE_PRECISION_AT = _fraction_of_counts("average-precision-at", "R", precision.average_precision_at)
AVERAGE_PRECISION_AT_HITS_ONLY = _fraction_of_counts(
    "average-precision-at-hits-only", "R", precision.average_precision_at_hits_only
)
PRECISION_AT_K = _fraction_of_counts("precision-at-k", "k", precision.precision_at_k)
EXPECTED_RECALL_AT_K = _fraction_of_counts("expected-recall-at-k", "k", precision.expected_recall_at_k)
NDCG = _fraction_of_counts("ndcg", None, precision.ndcg)
NDCG_AT_K = _fraction_of_counts("ndcg-at-k", "k", precision.ndcg_at_k)
PRECISION_WITHIN_RADIUS = _fraction_of_counts("precision-within-radius", "radius", lookup.precision_within_radius)
RECALL_WITHIN_RADIUS = _fraction_of_counts("recall-within-radius", "radius", lookup.recall_within_radius)
RETRIEVED_WITHIN_RADIUS = Metric(
    name="retrieved-within-radius",
    unit="items",
    higher_is_better=False,
    reads="counts",
    parameter="radius",
    function=lookup.retrieved_within_radius,
)
RECALL_AT_K = Metric(
    name="recall-at-k",
    unit="fraction",
    higher_is_better=True,
    reads="ids",
    parameter="k",
    function=neighbors.recall_at_k,
)
RECALL_AT_K_BY_DISTANCE = Metric(
    name="recall-at-k-by-distance",
    unit="fraction",
    higher_is_better=True,
    reads="distances",
    parameter="k",
    function=neighbors.recall_at_k_by_distance,
)
