import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.hashers import SignHash


@pytest.mark.parametrize("d", [1, 7, 8, 9, 63, 64, 65])
def test_bits_are_the_signs_of_the_features(d):
    X = np.random.default_rng(0).integers(-1, 2, size=(20, d))
    hasher = SignHash().fit(X)
    assert hasher.n_bits is None and hasher.n_bits_ == d
    assert_array_equal(hasher.encode(X).unpack(), X > 0)
    assert_array_equal(hasher.project(X), X)


def test_fewer_bits_take_the_first_features():
    X = np.random.default_rng(0).normal(size=(20, 12))
    assert_array_equal(SignHash(5).fit(X).encode(X).unpack(), X[:, :5] > 0)


def test_smallest_float16_is_greater_than_zero():
    X = np.array([[6e-8, -6e-8]], dtype=np.float16)
    assert_array_equal(SignHash().fit(X).encode(X).unpack(), [[True, False]])
