from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.errors import InvalidInputError
from hammingway.hashers import ITQ, PCAHash
from hammingway.hashers.itq import learn_rotation
from hammingway.hashers.pca import random_rotation


@pytest.fixture
def clustered():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 20))[np.arange(600) % 12] * 2 + rng.normal(size=(600, 20))


def quantisation_loss(embedded, rotation):
    """Return the paper's ||B - V R||² with V scaled to unit variance overall."""
    scores = embedded / embedded.std() @ rotation
    return ((np.where(scores > 0, 1, -1) - scores) ** 2).sum()


def test_rotation_is_orthogonal(clustered):
    rotation = ITQ(16, random_state=0).fit(clustered).rotation_
    assert_allclose(rotation @ rotation.T, np.eye(16), atol=1e-10)


def test_rotation_equals_a_plain_implementation_of_the_paper(clustered):
    embedded = np.rint(PCAHash(8).fit(clustered).project(clustered) * 2**12).astype(np.float32)
    start = random_rotation(np.random.RandomState(0), 8, 8)
    rotation, V = start, embedded.astype(np.float64)
    for _ in range(20):
        B = np.where(V @ rotation > 0, 1.0, -1.0)
        S, _, Sh_t = np.linalg.svd(B.T @ V)
        rotation = (S @ Sh_t).T
    assert_allclose(learn_rotation(embedded, start, n_iterations=20), rotation, atol=1e-5)


def test_loss_never_rises_with_iterations(clustered):
    embedded = np.rint(PCAHash(8).fit(clustered).project(clustered) * 2**12).astype(np.float32)
    start = random_rotation(np.random.RandomState(0), 8, 8)
    losses = [quantisation_loss(embedded, start)]
    losses += [quantisation_loss(embedded, learn_rotation(embedded, start, n_iterations=n)) for n in (1, 2, 5, 20, 50)]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(losses))
    assert losses[-1] < 0.95 * losses[0]


def test_weights_are_principal_directions_times_rotation(clustered):
    itq, pca = ITQ(16, random_state=0).fit(clustered), PCAHash(16).fit(clustered)
    assert_allclose(itq.weights_, pca.weights_ @ itq.rotation_, atol=1e-5)
    assert_array_equal(itq.mean_, pca.mean_)


def test_data_of_lower_rank_still_fill_every_bit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 16))
    hasher = ITQ(12, random_state=0).fit(X)
    assert hasher.rotation_.shape == (3, 12)
    assert np.all(hasher.encode(X).unpack().std(axis=0) > 0.2)


@pytest.mark.parametrize("n_iterations", [0, -1, 2.5, True, None])
def test_impossible_number_of_iterations_is_refused(clustered, n_iterations):
    with pytest.raises(InvalidInputError, match="n_iterations must be a whole number"):
        ITQ(8, n_iterations=n_iterations).fit(clustered)
