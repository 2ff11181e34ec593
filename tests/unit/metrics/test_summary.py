"""Means over queries."""

import numpy as np
import pytest

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.metrics import mean_over_queries


def test_undefined_queries_are_left_out_and_counted():
    result = mean_over_queries([0.5, np.nan, 0.0, np.nan, 1.0])
    assert (result.mean, result.n_used, result.n_undefined) == (0.5, 3, 2)


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_the_mean_of_nothing_is_undefined(values):
    result = mean_over_queries(values)
    assert np.isnan(result.mean) and result.n_used == 0 and result.n_undefined == len(values)


def test_the_mean_does_not_depend_on_the_order_of_the_queries():
    rng = np.random.default_rng(0)
    values = rng.random(10_001)
    means = {mean_over_queries(rng.permutation(values)).mean for _ in range(20)}
    assert len(means) == 1


def test_what_is_no_list_of_values_is_refused():
    with pytest.raises(ShapeError, match="n_queries"):
        mean_over_queries(np.ones((2, 2)))
    with pytest.raises(InvalidInputError, match="infinite"):
        mean_over_queries([1.0, np.inf])
