"""Sums over shared ranks."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.metrics import DistanceCounts, average_precision
from hammingway.metrics.ties import harmonic_difference, in_blocks, tie_groups


@pytest.mark.parametrize("start", [0, 1, 5, 62, 63, 64, 65, 100, 5000])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 64, 900])
def test_harmonic_difference_equals_the_exact_sum(start, length):
    exact = float(sum((Fraction(1, i) for i in range(start + 1, start + length + 1)), Fraction(0)))
    assert_allclose(harmonic_difference(np.float64(start), np.float64(start + length)), exact, rtol=5e-15)


def test_harmonic_difference_of_one_far_rank_keeps_its_digits():
    start = 1e9
    assert_allclose(harmonic_difference(np.array(start), np.array(start + 1)), 1 / (start + 1), rtol=1e-15)


def test_tie_groups_count_what_comes_before_them():
    groups = tie_groups(DistanceCounts(np.array([[1, 0, 2]]), np.array([[2, 0, 3]])))
    assert_array_equal(groups.before, [[0, 2, 2]])
    assert_array_equal(groups.relevant_before, [[0, 1, 1]])
    assert_array_equal(groups.taken(3), [[2, 0, 1]])
    assert_allclose(groups.density, [[0.5, 0, 2 / 3]])


def test_blocks_of_queries_do_not_change_values(monkeypatch):
    rng = np.random.default_rng(0)
    total = rng.integers(0, 9, (50, 17))
    counts = DistanceCounts(rng.integers(0, total + 1), total)
    whole = average_precision(counts)
    monkeypatch.setattr("hammingway.metrics.ties._BLOCK_CELLS", 40)
    sizes = []
    in_blocks(counts, lambda part: sizes.append(len(part)) or np.zeros(len(part)))
    assert max(sizes) == 2 and sum(sizes) == 50
    assert_array_equal(average_precision(counts), whole)
