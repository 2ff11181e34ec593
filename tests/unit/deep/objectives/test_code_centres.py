import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from hammingway.deep.objectives.code_centres import centres_of_labels, code_centres, hadamard
from hammingway.errors import InvalidInputError


def distances(centres):
    codes = centres.numpy()
    n = len(codes)
    return [int((codes[i] != codes[j]).sum()) for i in range(n) for j in range(i)]


def centres_of(n_classes, n_bits, seed=0):
    return code_centres(n_classes, n_bits, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n", [1, 2, 8, 64])
def test_rows_of_the_hadamard_matrix_are_orthogonal(n):
    matrix = hadamard(n)
    assert_array_equal(matrix @ matrix.T, n * np.eye(n))


@pytest.mark.parametrize("n_classes", [2, 10, 64, 100, 128])
def test_hadamard_centres_are_half_the_bits_apart_or_opposite(n_classes):
    assert set(distances(centres_of(n_classes, 64))) <= {32, 64}


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 12, 13, 48, 63, 64, 65])
@pytest.mark.parametrize("n_classes", [2, 10, 100, 1000])
def test_centres_are_distinct_codes_whatever_the_sizes(n_classes, n_bits):
    if 2**n_bits < n_classes:
        with pytest.raises(InvalidInputError, match="take more bits"):
            centres_of(n_classes, n_bits)
        return
    centres = centres_of(n_classes, n_bits)
    assert centres.shape == (n_classes, n_bits)
    assert len(np.unique(centres.numpy(), axis=0)) == n_classes
    assert set(np.unique(centres)) <= {-1.0, 1.0}


@pytest.mark.parametrize(("n_classes", "n_bits"), [(10, 12), (10, 24), (10, 48), (200, 64), (100, 48)])
def test_centres_are_farther_apart_than_random_codes(n_classes, n_bits):
    random = torch.randint(2, (n_classes, n_bits), generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert min(distances(centres_of(n_classes, n_bits))) > min(distances(random))


def test_centres_depend_on_the_seed_alone():
    assert_array_equal(centres_of(10, 48), centres_of(10, 48))
    assert not torch.equal(centres_of(10, 48), centres_of(10, 48, seed=1))


def test_target_of_several_labels_is_the_majority_and_ties_go_to_the_breaker():
    centres = torch.tensor([[1.0, 1, 1, -1], [1, -1, 1, 1], [-1, -1, 1, 1]])
    labels = torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 0, 1]])
    targets = centres_of_labels(centres, labels, tie_breaker=torch.tensor([1.0, 1, -1, -1]))
    assert_array_equal(targets, [[1, 1, 1, -1], [1, -1, 1, 1], [-1, -1, 1, 1]])
    assert_array_equal(centres_of_labels(centres, torch.tensor([2, 0]), tie_breaker=targets[0]), centres[[2, 0]])
