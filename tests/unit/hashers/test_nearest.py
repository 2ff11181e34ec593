import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.hashers import nearest
from hammingway.hashers.nearest import nearest_rows


@pytest.mark.parametrize("block_values", [1, 500, 2**23])
def test_equals_sorting_all_distances(monkeypatch, block_values):
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", block_values)
    x = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    chosen = np.array([5, 199, 0, 77])
    found, similarity = nearest_rows(x, -(x**2).sum(axis=1) / 2, chosen, 9)
    squared = ((x[chosen, None].astype(np.float64) - x) ** 2).sum(axis=2)
    squared[np.arange(4), chosen] = np.inf
    assert_array_equal(found, np.argsort(squared, axis=1)[:, :9])
    expected = ((x[chosen] ** 2).sum(axis=1)[:, None] - np.sort(squared, axis=1)[:, :9]) / 2
    assert_allclose(similarity, expected, atol=1e-4)


def test_equals_come_in_the_order_of_their_rows():
    x = np.array([[1.0], [0.0], [1.0], [1.0]], dtype=np.float32)
    found, _ = nearest_rows(x, np.zeros(4, dtype=np.float32), np.array([3]), 3)
    assert_array_equal(found, [[0, 2, 1]])


def test_tells_how_many_rows_are_done(monkeypatch):
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", 40)
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    calls = []
    nearest_rows(x, np.zeros(40, dtype=np.float32), np.arange(19), 2, advance=calls.append)
    assert calls == [8, 8, 3]
