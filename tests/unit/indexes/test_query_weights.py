"""Rounding of query scores: nearest integers, scaled to each query's greatest magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError
from hammingway.indexes.query_weights import check_scores, quantize_scores


@pytest.mark.parametrize(("query_bits", "largest"), [(4, 7), (8, 127)])
def test_weights_times_units_are_the_scores_to_half_a_unit(query_bits, largest):
    scores = np.random.default_rng(0).standard_normal((20, 33)) * 10.0 ** np.arange(-10, 10)[:, None]
    weights, units = quantize_scores(scores, query_bits)
    assert weights.dtype == np.int8
    assert_array_equal(np.abs(weights).max(axis=1), largest)
    assert (np.abs(weights * units[:, None] - scores) <= units[:, None] * 0.5000001).all()


def test_a_query_of_zeros_has_zero_weights_and_tiny_scores_keep_their_signs():
    weights, units = quantize_scores(np.array([[0.0, 0.0], [5e-324, -5e-324]]), 8)
    assert_array_equal(weights, [[0, 0], [127, -127]])
    assert units[0] == 0
    assert quantize_scores(np.empty((0, 3)), 4)[0].shape == (0, 3)


@pytest.mark.parametrize("query_bits", [1, 5, 16, True, 8.0, [8], "8", None])
def test_other_query_bits_are_refused(query_bits):
    with pytest.raises(InvalidInputError, match="4 or 8"):
        quantize_scores(np.ones((1, 2)), query_bits)


@pytest.mark.parametrize(
    ("scores", "error", "says"),
    [
        ([1.0, 2.0], ShapeError, "one row a query"),
        ([[1.0, 2.0, 3.0]], CodeWidthError, "3 columns"),
        ([[1.0, np.nan]], InvalidInputError, "finite"),
        ([[1.0, -np.inf]], InvalidInputError, "finite"),
        (np.array([[1.0, 1e300]], np.longdouble) ** 2, InvalidInputError, "finite"),
        ([[1.0, -1e300]], InvalidInputError, "less than 1e300"),
        ([["1", "2"]], InvalidInputError, "real numbers"),
        ([[1j, 2j]], InvalidInputError, "real numbers"),
        ([[True, False]], InvalidInputError, "real numbers"),
    ],
)
def test_scores_that_are_none_are_refused(scores, error, says):
    with pytest.raises(error, match=says):
        check_scores(scores, 2)


def test_the_largest_scores_allowed_have_finite_sums():
    scores = check_scores(np.full((1, 4096), np.nextafter(1e300, 0)), 4096)
    weights, units = quantize_scores(scores, 8)
    assert np.isfinite(weights.astype(np.int64).sum() * units).all()
