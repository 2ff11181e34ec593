import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.errors import InvalidInputError
from hammingway.hashers import RandomHyperplanes


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(60, 40))


@pytest.mark.parametrize("orthogonal", [True, False])
def test_share_of_differing_bits_estimates_the_angle(vectors, orthogonal):
    bits = RandomHyperplanes(4096, random_state=0, orthogonal=orthogonal).fit(vectors).encode(vectors).unpack()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    angle = np.arccos(np.clip(unit @ unit.T, -1, 1))
    differing = (bits[:, None] != bits[None]).mean(axis=2)
    assert_allclose(differing, angle / np.pi, atol=0.05)


def test_codes_do_not_depend_on_the_length_of_a_vector(vectors):
    hasher = RandomHyperplanes(100, random_state=0).fit(vectors)
    assert_array_equal(hasher.encode(vectors * 64).packed, hasher.encode(vectors).packed)


def test_opposite_vectors_have_opposite_codes(vectors):
    hasher = RandomHyperplanes(100, random_state=0).fit(vectors)
    assert_array_equal(hasher.encode(-vectors).unpack(), ~hasher.encode(vectors).unpack())


def test_directions_are_orthonormal_in_runs_of_n_features(vectors):
    weights = RandomHyperplanes(100, random_state=0).fit(vectors).weights_
    for start in (0, 40, 80):
        run = weights[:, start : start + 40]
        assert_allclose(run.T @ run, np.eye(run.shape[1]), atol=1e-5)


def test_independent_directions_are_unit_but_not_orthogonal(vectors):
    weights = RandomHyperplanes(30, random_state=0, orthogonal=False).fit(vectors).weights_
    products = weights.T @ weights
    assert_allclose(np.diag(products), 1, atol=1e-6)
    assert np.abs(products - np.eye(30)).max() > 0.2


def test_centring_makes_codes_blind_to_a_shift(vectors):
    hasher = RandomHyperplanes(64, random_state=0, center=True)
    shift = 2.0**20
    codes = hasher.fit(vectors).encode(vectors).unpack()
    shifted = hasher.fit(vectors + shift).encode(vectors + shift).unpack()
    assert (codes != shifted).mean() < 1e-3
    assert abs(codes.mean() - 0.5) < 0.05


def test_without_centring_far_data_share_their_codes(vectors):
    codes = RandomHyperplanes(64, random_state=0).fit(vectors + 100).encode(vectors + 100)
    assert len(np.unique(codes.packed, axis=0)) < 10


@pytest.mark.parametrize("name", ["orthogonal", "center"])
def test_switch_that_is_no_boolean_is_refused(vectors, name):
    with pytest.raises(InvalidInputError, match=f"{name} must be True or False"):
        RandomHyperplanes(8, **{name: "yes"}).fit(vectors)
