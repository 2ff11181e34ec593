from itertools import combinations
from math import comb

import pytest
import torch

from hammingway.deep.objectives.bit_tuples import covering_tuples, n_covering_tuples
from hammingway.errors import InvalidInputError


def tuples_of(n_bits, size, cover, minimum=0, seed=0xCAFE):
    return [tuple(row) for row in covering_tuples(n_bits, size=size, cover=cover, minimum=minimum, seed=seed).tolist()]


@pytest.mark.parametrize(
    ("n_bits", "size", "cover"),
    [(1, 1, 1), (3, 3, 3), (8, 2, 2), (9, 3, 2), (16, 4, 3), (9, 5, 2), (7, 6, 3), (5, 4, 3), (6, 5, 3)],
)
def test_every_subset_is_in_a_tuple_and_no_tuple_comes_twice(n_bits, size, cover):
    found = tuples_of(n_bits, size, cover)
    assert len(set(found)) == len(found) <= n_covering_tuples(n_bits, size=size, cover=cover, minimum=0)
    assert all(sorted(set(one)) == list(one) and len(one) == size for one in found)
    covered = {subset for one in found for subset in combinations(one, cover)}
    assert covered == set(combinations(range(n_bits), cover))


@pytest.mark.parametrize(("size", "cover", "count"), [(2, 2, 2016), (3, 3, 41_664), (4, 3, 41_664)])
def test_counts_at_64_bits_are_the_published_ones(size, cover, count):
    assert len(tuples_of(64, size, cover)) == count


def test_more_tuples_are_added_up_to_the_minimum_or_all():
    assert len(set(tuples_of(9, 3, 2, minimum=70))) == 70
    assert len(set(tuples_of(9, 3, 2, minimum=10**6))) == comb(9, 3)


def test_tuples_depend_on_the_seed():
    assert tuples_of(12, 4, 2) == tuples_of(12, 4, 2) != tuples_of(12, 4, 2, seed=1)


@pytest.mark.parametrize(("n_bits", "size", "cover"), [(2, 3, 3), (8, 2, 3), (8, 2, 0)])
def test_sizes_that_do_not_fit_are_refused(n_bits, size, cover):
    with pytest.raises(InvalidInputError, match="need 1 <= cover <= size <= n_bits"):
        covering_tuples(n_bits, size=size, cover=cover, minimum=0, seed=0)


def test_result_is_integers():
    assert covering_tuples(5, size=3, cover=2, minimum=0, seed=0).dtype == torch.int64
