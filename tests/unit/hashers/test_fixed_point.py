from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.hashers.fixed_point import FixedPointProduct, exact_gram, to_fixed_point


def pair(n, d, m, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(d, m))


@pytest.mark.parametrize("d", [1, 2, 3, 63, 64, 65, 384, 4096])
def test_product_is_as_accurate_as_float32(d):
    rows, weights = pair(20, d, 5)
    scale = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(weights, axis=0)
    error = np.abs(FixedPointProduct(weights)(rows.copy()) - rows @ weights) / scale
    assert error.max() < 2**-21


def test_product_equals_exact_rational_arithmetic():
    rows, weights = pair(4, 33, 3)
    found = FixedPointProduct(weights)(rows.copy())
    half = np.log2(33) / 2
    fixed_rows, row_exponents = to_fixed_point(rows.copy(), int(27 - half), axis=1)
    fixed_weights, column_exponents = to_fixed_point(weights.copy(), int(26 - half), axis=0)
    for i in range(4):
        for j in range(3):
            total = sum(Fraction(int(a)) * int(b) for a, b in zip(fixed_rows[i], fixed_weights[:, j], strict=True))
            shift = int(row_exponents[i] + column_exponents[j]) - int(27 - half) - int(26 - half)
            assert Fraction(found[i, j]) == total * Fraction(2) ** shift


def test_worst_case_still_fits_float64_exactly():
    # All values at the top of their scale: the sum is as large as it can get.
    d = 4095
    product = FixedPointProduct(np.ones((d, 1)))
    assert product(np.ones((1, d)))[0, 0] == d


def test_order_of_the_features_does_not_change_a_bit():
    rows, weights = pair(50, 300, 20)
    order = np.random.default_rng(1).permutation(300)
    assert_array_equal(
        FixedPointProduct(weights)(rows.copy()), FixedPointProduct(weights[order])(rows[:, order].copy(order="C"))
    )


def test_plain_product_would_change_with_the_order_of_the_features():
    # The test above can fail: float64 products do differ.
    rows, weights = pair(50, 300, 20)
    order = np.random.default_rng(1).permutation(300)
    assert np.any(rows @ weights != rows[:, order] @ weights[order])


def test_mean_is_subtracted_before_rounding():
    rows, weights = pair(10, 8, 3)
    mean = np.full(8, 1e9)
    exact = (rows + mean - mean) @ weights
    assert_allclose(FixedPointProduct(weights, mean)(rows + mean), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_scale_of_the_data_does_not_matter(scale):
    rows, weights = pair(10, 8, 3)
    power = 2.0 ** np.rint(np.log2(scale))
    assert_array_equal(FixedPointProduct(weights)(rows * power), FixedPointProduct(weights)(rows.copy()) * power)


def test_zero_row_scores_zero_everywhere():
    assert_array_equal(FixedPointProduct(np.ones((4, 3)))(np.zeros((2, 4))), np.zeros((2, 3)))


@pytest.mark.parametrize("n", [1, 7, 1024])
def test_gram_matrix_is_exact_in_any_row_order(n):
    rows = np.random.default_rng(2).normal(size=(n, 30))
    largest = np.abs(rows).max(axis=0)
    gram = exact_gram(rows.copy(), largest)
    assert_allclose(gram, rows.T @ rows, rtol=1e-4, atol=1e-4)
    assert_array_equal(gram, exact_gram(rows[::-1].copy(), largest))


def test_gram_matrix_of_a_constant_zero_column_is_zero():
    rows = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert_array_equal(exact_gram(rows, np.array([0.0, 2.0])), [[0.0, 0.0], [0.0, 5.0]])
