import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.hashers import SpectralHash
from hammingway.hashers.spectral import cosine_of_half_turns, lowest_modes


@pytest.fixture
def box():
    return np.random.default_rng(0).uniform(size=(2000, 4)) * [8.0, 4.0, 2.0, 1.0]


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 64, 65])
def test_bits_are_the_signs_of_weiss_eigenfunctions(box, n_bits):
    hasher = SpectralHash(n_bits).fit(box)
    t = (box - hasher.mean_) @ hasher.directions_ - hasher.start_
    phase = np.pi / 2 + hasher.mode_ * np.pi / hasher.length_[hasher.axis_] * t[:, hasher.axis_]
    assert_allclose(hasher.project(box), np.sin(phase), atol=1e-4)


def test_lowest_frequencies_over_all_axes_are_taken():
    length = np.array([8.0, 4.0, 1.0])
    axis, mode = lowest_modes(length, 7)
    every = sorted((m / length[a], a, m) for a in range(3) for m in range(1, 50))[:7]
    assert_array_equal(np.column_stack([axis, mode]), [(a, m) for _, a, m in every])


@pytest.mark.parametrize("n_bits", [1, 64, 4096])
def test_one_axis_alone_gives_every_mode(n_bits):
    axis, mode = lowest_modes(np.array([0.3]), n_bits)
    assert_array_equal(axis, 0)
    assert_array_equal(mode, np.arange(1, n_bits + 1))


def test_first_bit_halves_the_longest_axis(box):
    bits = SpectralHash(1).fit(box).encode(box).unpack()[:, 0]
    assert abs(bits.mean() - 0.5) < 0.05
    assert len(np.unique(box[bits, 0] > 4)) <= 2
    assert abs(np.corrcoef(bits, box[:, 0] > 4)[0, 1]) > 0.95


def test_waves_go_on_outside_the_training_range():
    X = np.linspace(0, 1, 101)[:, None]
    hasher = SpectralHash(3).fit(X)
    assert_allclose(hasher.project(X + 2), hasher.project(X), atol=1e-4)


def test_cosine_equals_the_mathematical_one():
    turns = np.random.default_rng(0).uniform(-50, 50, 10_000)
    assert_allclose(cosine_of_half_turns(turns), np.cos(np.pi * turns), atol=1e-11)


def test_cosine_is_exact_where_it_is_zero():
    assert_array_equal(cosine_of_half_turns(np.array([0.5, 1.5, -0.5, 1e6 + 0.5])), 0)
