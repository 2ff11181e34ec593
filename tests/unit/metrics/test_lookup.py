"""Radius lookup and curves against sets of retrieved items."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import InvalidInputError
from hammingway.metrics import (
    DistanceCounts,
    distance_counts,
    expected_recall_at_k,
    precision_at_k,
    precision_recall_at_ranks,
    precision_recall_curve,
    precision_within_radius,
    recall_within_radius,
    retrieved_within_radius,
)

N_BITS = 9


@pytest.fixture(scope="module")
def retrieval():
    """Return counts of 12 queries (label 9 is not in the database), distances and relevance."""
    rng = np.random.default_rng(0)
    queries = Codes.from_bits(rng.integers(0, 2, (12, N_BITS)))
    database = Codes.from_bits(rng.integers(0, 2, (60, N_BITS)))
    labels = np.array([0, 1, 2, 9] * 3), rng.integers(0, 3, 60)
    distances = (queries.unpack()[:, None] != database.unpack()[None]).sum(axis=2)
    return distance_counts(queries, database, labels), distances, labels[0][:, None] == labels[1][None]


@pytest.mark.parametrize("radius", range(N_BITS + 1))
def test_radius_metrics_are_those_of_the_retrieved_sets(retrieval, radius):
    counts, distances, relevant = retrieval
    for query in range(len(counts)):
        found = set(np.flatnonzero(distances[query] <= radius))
        wanted = set(np.flatnonzero(relevant[query]))
        assert retrieved_within_radius(counts, radius=radius)[query] == len(found)
        precision = len(found & wanted) / len(found) if found else 0.0
        assert precision_within_radius(counts, radius=radius)[query] == pytest.approx(precision)
        recall = len(found & wanted) / len(wanted) if wanted else np.nan
        assert recall_within_radius(counts, radius=radius)[query] == pytest.approx(recall, nan_ok=True)


def test_a_failed_lookup_has_precision_zero_and_stays_in_the_mean():
    counts = DistanceCounts(np.array([[1, 0], [0, 1]]), np.array([[1, 0], [0, 1]]))
    assert precision_within_radius(counts, radius=0).tolist() == [1.0, 0.0]


def test_macro_curve_is_the_mean_over_queries_with_something_relevant(retrieval):
    counts, _, relevant = retrieval
    used = relevant.any(axis=1)
    curve = precision_recall_curve(counts)
    assert (curve.average, curve.n_used, curve.n_undefined) == ("macro", 9, 3)
    for radius in curve.thresholds:
        assert curve.precision[radius] == pytest.approx(precision_within_radius(counts, radius=radius)[used].mean())
        assert curve.recall[radius] == pytest.approx(recall_within_radius(counts, radius=radius)[used].mean())
    assert curve.recall[-1] == 1.0 and np.all(np.diff(curve.recall) >= 0)


def test_micro_curve_is_the_quotient_of_pooled_pairs(retrieval):
    counts, distances, relevant = retrieval
    used = relevant.any(axis=1)
    curve = precision_recall_curve(counts, average="micro")
    for radius in curve.thresholds:
        found = distances[used] <= radius
        hits = (found & relevant[used]).sum()
        assert curve.precision[radius] == pytest.approx(hits / found.sum() if found.any() else np.nan, nan_ok=True)
        assert curve.recall[radius] == pytest.approx(hits / relevant[used].sum())


def test_micro_precision_is_undefined_where_no_query_finds_anything():
    counts = DistanceCounts(np.array([[0, 1]]), np.array([[0, 2]]))
    assert_array_equal(precision_recall_curve(counts, average="micro").precision, [np.nan, 0.5])
    assert_array_equal(precision_recall_curve(counts, average="macro").precision, [0.0, 0.5])


def test_curve_at_ranks_is_the_mean_of_precision_and_recall_at_k(retrieval):
    counts, _, relevant = retrieval
    used = relevant.any(axis=1)
    curve = precision_recall_at_ranks(counts, [1, 5, 33, 60])
    for point, rank in enumerate([1, 5, 33, 60]):
        assert_allclose(curve.precision[point], precision_at_k(counts, k=rank)[used].mean())
        assert_allclose(curve.recall[point], expected_recall_at_k(counts, k=rank)[used].mean())
    assert curve.recall[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_curves_without_a_usable_query_are_undefined(average):
    counts = DistanceCounts(np.zeros((2, 3), dtype=int), np.ones((2, 3), dtype=int))
    curve = precision_recall_curve(counts, average=average)
    assert np.isnan(curve.precision).all() and np.isnan(curve.recall).all()
    assert (curve.n_used, curve.n_undefined) == (0, 2)


@pytest.mark.parametrize("radius", [-1, N_BITS + 1, 1.5, True])
def test_a_radius_out_of_range_is_refused(retrieval, radius):
    for function in (precision_within_radius, recall_within_radius, retrieved_within_radius):
        with pytest.raises(InvalidInputError, match="radius must be a whole number of bits from 0 to 9"):
            function(retrieval[0], radius=radius)


def test_wrong_averages_and_ranks_are_refused(retrieval):
    with pytest.raises(InvalidInputError, match="'macro' or 'micro'"):
        precision_recall_curve(retrieval[0], average="mean")
    with pytest.raises(InvalidInputError, match="must ascend"):
        precision_recall_at_ranks(retrieval[0], [5, 5])
    with pytest.raises(InvalidInputError, match="at least 1"):
        precision_recall_at_ranks(retrieval[0], [0, 5])
