"""Recall of a list of results."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.metrics import recall_at_k, recall_at_k_by_distance


@pytest.mark.parametrize("k", [1, 7, 20])
@pytest.mark.parametrize("n_true", [1, 5, 20])
def test_recall_at_k_is_the_share_of_the_true_ids_found(k, n_true):
    rng = np.random.default_rng(0)
    ids = np.stack([rng.permutation(50)[:20] for _ in range(9)])
    truth = np.stack([rng.permutation(50)[:n_true] for _ in range(9)])
    expected = [len(set(row[:k]) & set(true)) / n_true for row, true in zip(ids.tolist(), truth.tolist(), strict=True)]
    assert_allclose(recall_at_k(ids, truth, k=k), expected, rtol=1e-15)


def test_recall_at_k_in_blocks_is_recall_at_k_at_once(monkeypatch):
    rng = np.random.default_rng(1)
    ids = np.stack([rng.permutation(30)[:10] for _ in range(13)])
    truth = np.stack([rng.permutation(30)[:4] for _ in range(13)])
    whole = recall_at_k(ids, truth, k=10)
    monkeypatch.setattr("hammingway.metrics.neighbors._CHUNK_CELLS", 90)
    assert_array_equal(recall_at_k(ids, truth, k=10), whole)


def test_an_id_returned_twice_is_found_once():
    assert recall_at_k([[5, 5, 5]], [[5, 6, 7]], k=3)[0] == pytest.approx(1 / 3)


def test_empty_places_find_nothing():
    assert_array_equal(recall_at_k([[-1, -1], [3, -1]], [[0, 1], [3, 1]], k=2), [0.0, 0.5])


def test_no_queries_give_no_recall():
    none = np.empty((0, 5), dtype=np.int64)
    assert recall_at_k(none, none, k=5).shape == (0,)
    assert recall_at_k_by_distance(none, none, k=5).shape == (0,)


def test_recall_by_distance_accepts_any_of_the_equals():
    exact = np.array([[3, 5, 5, 5]])
    assert recall_at_k_by_distance([[3, 5]], exact, k=2)[0] == 1.0
    assert recall_at_k_by_distance([[3, 6]], exact, k=2)[0] == 0.5
    assert recall_at_k_by_distance([[5, 5]], exact, k=1)[0] == 0.0


def test_recall_by_distance_has_no_tolerance():
    exact = np.array([[0.5, 1.0]])
    above = np.nextafter(1.0, 2.0)
    assert recall_at_k_by_distance([[0.5, above]], exact, k=2)[0] == 0.5
    assert recall_at_k_by_distance([[1200, 1201]], [[1200, 1200]], k=2)[0] == 0.5


def test_empty_places_are_never_near_enough():
    assert recall_at_k_by_distance(np.array([[0.1, np.inf]]), np.array([[0.1, 0.2]]), k=2)[0] == 0.5
    assert recall_at_k_by_distance([[1, 65]], [[1, 64]], k=2)[0] == 0.5


def test_integers_of_different_widths_compare_exactly():
    found, exact = np.array([[1, 2]], dtype=np.int32), np.array([[1, 2]], dtype=np.uint16)
    assert recall_at_k_by_distance(found, exact, k=2)[0] == 1.0


@pytest.mark.parametrize(
    ("found", "exact", "error", "message"),
    [
        ([[1, 2]], [[1, 2], [1, 2]], ShapeError, "one row a query"),
        ([[1]], [[1, 2]], ShapeError, "distances must have shape"),
        ([[1, 2]], [[1]], ShapeError, "true_distances must have shape"),
        ([1, 2], [[1, 2]], ShapeError, "distances must have shape"),
        ([[1, 2]], [[1.0, 2.0]], InvalidInputError, "both be integers, or floats of one width"),
        (np.ones((1, 2), np.float32), np.ones((1, 2)), InvalidInputError, "floats of one width"),
        ([[1.0, np.nan]], [[1.0, 2.0]], InvalidInputError, "must not be nan"),
        ([[1.0, 2.0]], [[1.0, np.inf]], InvalidInputError, "must be finite"),
        ([[1, 2]], [[2, 1]], InvalidInputError, "ascending"),
    ],
)
def test_distances_that_do_not_compare_are_refused(found, exact, error, message):
    with pytest.raises(error, match=message):
        recall_at_k_by_distance(found, exact, k=2)


@pytest.mark.parametrize(
    ("ids", "truth", "k", "error", "message"),
    [
        ([[1, 2]], [[1]], 3, ShapeError, "n_queries, >= 3"),
        ([[1, 2]], [[1], [2]], 2, ShapeError, "exact neighbours must have shape"),
        ([[1, 2]], np.empty((1, 0), int), 2, ShapeError, "n_true >= 1"),
        ([[1, 2]], [[1, 1]], 2, InvalidInputError, "name one id twice"),
        ([[1, 2]], [[1, -1]], 2, InvalidInputError, "must not be negative"),
        ([[1, 2]], [[1]], -1, InvalidInputError, "at least 1"),
    ],
)
def test_ids_that_do_not_fit_are_refused(ids, truth, k, error, message):
    with pytest.raises(error, match=message):
        recall_at_k(ids, truth, k=k)
