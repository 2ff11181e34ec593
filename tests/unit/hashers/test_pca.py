import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from hammingway.hashers import PCAHash, RotatedPCAHash


@pytest.fixture
def correlated():
    rng = np.random.default_rng(0)
    return rng.normal(size=(2500, 30)) @ rng.normal(size=(30, 30)) + rng.normal(size=30) * 50


def test_scores_equal_scikit_learns_components_up_to_sign(correlated):
    scores = PCAHash(12).fit(correlated).project(correlated)
    expected = PCA(12, svd_solver="full").fit_transform(correlated)
    signs = np.sign((scores * expected).sum(axis=0))
    assert_allclose(scores, expected * signs, atol=1e-4 * np.abs(expected).max())


def test_largest_element_of_every_direction_is_positive(correlated):
    weights = PCAHash(12).fit(correlated).weights_
    assert np.all(np.take_along_axis(weights, np.abs(weights).argmax(axis=0)[None], axis=0) > 0)


@pytest.mark.parametrize("kind", [PCAHash, RotatedPCAHash])
def test_directions_are_orthonormal(correlated, kind):
    weights = kind(12, random_state=0).fit(correlated).weights_
    assert_allclose(weights.T @ weights, np.eye(12), atol=1e-5)


def test_rotation_keeps_the_subspace_and_evens_the_variance(correlated):
    plain, rotated = PCAHash(12).fit(correlated), RotatedPCAHash(12, random_state=0).fit(correlated)
    assert_allclose(plain.weights_ @ plain.weights_.T, rotated.weights_ @ rotated.weights_.T, atol=1e-5)
    spread = [np.ptp(np.log(hasher.project(correlated).var(axis=0))) for hasher in (plain, rotated)]
    assert spread[1] < spread[0] / 1.5


def test_bits_past_the_rank_of_the_data_are_never_set():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 10))
    scores = PCAHash(5).fit(X).project(X)
    assert_array_equal(scores[:, 3:], 0)
    assert np.all(scores[:, :3].std(axis=0) > 0.1)


def test_all_bits_vary_under_a_rotation_even_past_the_rank():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 10))
    assert np.all(RotatedPCAHash(8, random_state=0).fit(X).encode(X).unpack().std(axis=0) > 0.2)


def test_features_of_very_different_units_keep_their_directions():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)) * [1e4, 1.0, 1e-1]
    assert_allclose(np.abs(PCAHash(3).fit(X).weights_), np.eye(3), atol=1e-3)
