import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.batches import Rows
from hammingway.deep.networks.linear import Linear, LinearOptions


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 65])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_scores_are_one_product_of_features_standardised_or_as_they_are(n_bits, standardize, bias):
    X = np.random.default_rng(0).normal(size=(30, 6)) * 3 + 2
    X[:, 4] = 7  # never varies: only centred
    network = Linear(LinearOptions(bias=bias, standardize=standardize), (6,), n_bits)
    network.prepare(Rows(X), torch.Generator())
    deviation = np.where(X.std(axis=0) > 1e-9, X.std(axis=0), 1.0)
    x = (X - X.mean(axis=0)) / deviation if standardize else X
    expected = x @ network.head.weight.detach().numpy().T
    expected += network.head.bias.detach().numpy() if bias else 0
    assert_allclose(network(Rows(X)[:]).detach(), expected, rtol=1e-4, atol=1e-5)
