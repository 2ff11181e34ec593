import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from hammingway.deep.nearest_rows import nearest_rows
from hammingway.errors import ShapeError


def test_nearest_rows_are_those_of_the_largest_cosine_across_blocks(monkeypatch):
    monkeypatch.setattr("hammingway.deep.nearest_rows._BLOCK_ROWS", 7)
    x = np.random.default_rng(0).normal(size=(50, 6))
    cosines = x @ x.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
    np.fill_diagonal(cosines, -np.inf)
    assert_array_equal(nearest_rows(torch.from_numpy(x), 4), np.argsort(-cosines, axis=1)[:, :4])


def test_a_row_is_not_its_own_neighbour_even_among_duplicates():
    found = nearest_rows(torch.ones(5, 3), 4)
    assert [sorted(row) for row in found.tolist()] == [[j for j in range(5) if j != i] for i in range(5)]


def test_too_few_rows_are_refused():
    with pytest.raises(ShapeError, match="at least 4 training rows"):
        nearest_rows(torch.ones(3, 2), 3)


def test_smaller_blocks_of_more_rows_change_nothing(monkeypatch):
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    whole = nearest_rows(x, 4)
    monkeypatch.setattr("hammingway.deep.nearest_rows._BLOCK_COSINES", 50 * 7)
    assert torch.equal(nearest_rows(x, 4), whole)
