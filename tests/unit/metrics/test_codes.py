"""Metrics of codes against NumPy on unpacked bits."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import InvalidInputError
from hammingway.metrics import (
    bit_balance,
    bit_correlation,
    bucket_occupancy,
    code_entropy,
    mean_absolute_bit_correlation,
)

WIDTHS = [1, 7, 8, 9, 63, 64, 65]


def skewed(n, n_bits, seed=0):
    """Return codes whose bits are unbalanced and correlated."""
    rng = np.random.default_rng(seed)
    return Codes.from_scores(rng.normal(size=(n, n_bits)) + rng.normal(size=(n, 1)) + rng.normal(size=n_bits))


@pytest.mark.parametrize("n_bits", WIDTHS)
@pytest.mark.parametrize("n", [200, 4097])
def test_bit_correlation_is_pearsons_over_several_chunks(n, n_bits):
    codes = skewed(n, n_bits)
    bits = codes.unpack().astype(float)
    assert bits.std(axis=0).min() > 0
    assert_allclose(bit_correlation(codes), np.corrcoef(bits, rowvar=False).reshape(n_bits, n_bits), atol=1e-12)


@pytest.mark.parametrize("n_bits", WIDTHS)
def test_bit_balance_is_twice_the_rarer_share(n_bits):
    codes = skewed(4099, n_bits)
    shares = codes.unpack().mean(axis=0)
    assert_allclose(bit_balance(codes), 2 * np.minimum(shares, 1 - shares), atol=1e-14)


def test_bits_stuck_at_opposite_values_are_not_balanced():
    codes = Codes.from_bits(np.tile([True, False], (10, 1)))
    assert codes.unpack().mean() == 0.5
    assert_array_equal(bit_balance(codes), [0.0, 0.0])


def test_a_constant_bit_has_no_correlation_and_is_left_out_of_the_mean():
    bits = np.array([[0, 0, 1], [1, 0, 1], [0, 0, 0], [1, 0, 1]])
    correlation = bit_correlation(Codes.from_bits(bits))
    assert np.isnan(correlation[1]).all() and np.isnan(correlation[:, 1]).all()
    expected = np.corrcoef(bits[:, 0], bits[:, 2])[0, 1]
    assert mean_absolute_bit_correlation(Codes.from_bits(bits)) == pytest.approx(abs(expected))


def test_mean_correlation_without_a_pair_that_varies_is_undefined():
    assert np.isnan(mean_absolute_bit_correlation(Codes.from_bits([[0], [1]])))
    assert np.isnan(mean_absolute_bit_correlation(Codes.from_bits([[0, 1], [1, 1]])))


@pytest.mark.parametrize("n_bits", [3, *WIDTHS])
def test_entropy_and_buckets_are_those_of_a_counter(n_bits):
    codes = skewed(500, n_bits)
    sizes = np.array(sorted(Counter(map(bytes, codes.packed)).values(), reverse=True))
    shares = sizes / 500
    occupancy = bucket_occupancy(codes)
    assert_array_equal(occupancy.sizes, sizes)
    assert code_entropy(codes) == pytest.approx(-(shares * np.log2(shares)).sum())
    assert occupancy.largest == sizes[0] and occupancy.largest_share == sizes[0] / 500
    assert occupancy.n_buckets == len(sizes) and occupancy.n_codes == 500
    assert occupancy.empty_share == pytest.approx(1 - len(sizes) / 2.0**n_bits)
    same = (codes.unpack()[:, None] == codes.unpack()[None]).all(axis=2)
    assert occupancy.collision_probability == pytest.approx((same.sum() - 500) / (500 * 499))
    assert occupancy.mean_bucket_met == pytest.approx(same.sum(axis=1).mean())


def test_the_distribution_of_bucket_sizes_accounts_for_every_code():
    codes = skewed(300, 4)
    sizes, n_buckets = bucket_occupancy(codes).distribution()
    assert sizes @ n_buckets == 300 and n_buckets.sum() == bucket_occupancy(codes).n_buckets
    assert np.all(np.diff(sizes) > 0)


def test_miller_madow_takes_away_most_of_the_bias_of_the_entropy():
    """Uniform 6-bit codes have 6 bits of entropy; 1,000 of them show (64 - 1) / (2 * 1000 ln 2) less."""
    rng = np.random.default_rng(3)
    samples = [Codes.from_bits(rng.integers(0, 2, (1000, 6))) for _ in range(100)]
    plain = np.mean([code_entropy(codes) for codes in samples])
    corrected = np.mean([code_entropy(codes, correction="miller-madow") for codes in samples])
    assert 6 - plain == pytest.approx(63 / (2000 * np.log(2)), rel=0.1)
    assert abs(6 - corrected) < 0.1 * (6 - plain)


def test_identical_codes_have_no_entropy_and_always_collide():
    codes = Codes.from_bits(np.ones((9, 12), dtype=bool))
    assert code_entropy(codes) == 0.0
    assert bucket_occupancy(codes).collision_probability == 1.0


def test_one_code_has_no_pair_to_collide():
    codes = Codes.from_bits([[1, 0, 1]])
    assert code_entropy(codes) == 0.0 and np.isnan(bucket_occupancy(codes).collision_probability)


def test_the_widest_codes_leave_all_but_some_buckets_empty():
    codes = Codes.from_bits(np.random.default_rng(4).integers(0, 2, (5, 4096)))
    assert bucket_occupancy(codes).empty_share == 1.0 and bit_balance(codes).shape == (4096,)


def test_order_of_the_codes_changes_nothing():
    codes = skewed(300, 20)
    shuffled = codes[np.random.default_rng(5).permutation(300)]
    assert code_entropy(codes) == code_entropy(shuffled)
    assert_array_equal(bit_correlation(codes), bit_correlation(shuffled))
    assert_array_equal(bucket_occupancy(codes).sizes, bucket_occupancy(shuffled).sizes)


@pytest.mark.parametrize("function", [bit_balance, bit_correlation, bucket_occupancy, code_entropy])
def test_no_codes_are_refused(function):
    with pytest.raises(InvalidInputError, match="there are no codes"):
        function(Codes(np.empty((0, 2), np.uint8), 16))


def test_an_unknown_correction_is_refused():
    with pytest.raises(InvalidInputError, match="'none' or 'miller-madow'"):
        code_entropy(Codes.from_bits([[0, 1]]), correction="jackknife")
