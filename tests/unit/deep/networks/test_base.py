"""Input is standardised by the training rows, exactly and in float64."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway import registry
from hammingway.deep.batches import Rows
from hammingway.deep.networks.base import Network, Standardize, make_network, sketch_network
from hammingway.deep.networks.linear import Linear, LinearOptions
from hammingway.deep.networks.mlp import MLP, MLPOptions
from hammingway.errors import ConfigError, ShapeError, UnknownNameError


def test_vectors_get_mean_zero_and_deviation_one_a_feature():
    X = np.random.default_rng(0).normal(size=(3000, 4)) * [1, 1e4, 1e-2, 0] + [0, 1e6, 3, 7]
    standardize = Standardize((4,))
    standardize.prepare(Rows(X))
    x = standardize(torch.from_numpy(X)).numpy()
    assert_allclose(x.mean(axis=0), 0, atol=1e-4)
    assert_allclose(x.std(axis=0), [1, 1, 1, 0], atol=1e-4)


def test_images_are_standardised_a_channel():
    X = np.random.default_rng(0).integers(256, size=(50, 4 * 5 * 3)).astype(np.uint8)
    standardize = Standardize((3, 4, 5))
    standardize.prepare(Rows(X, image_shape=(4, 5, 3)))
    pixels = X.reshape(-1, 3).astype(np.float64)
    assert_allclose(standardize.mean.flatten(), pixels.mean(axis=0), rtol=1e-6)
    assert_allclose(standardize.deviation.flatten(), pixels.std(axis=0), rtol=1e-6)
    assert standardize.mean.shape == (3, 1, 1)


def test_shared_deviation_keeps_the_order_of_distances():
    X = np.random.default_rng(0).normal(size=(100, 4)) * [1, 2, 3, 4]
    standardize = Standardize((4,), shared=True)
    standardize.prepare(Rows(X))
    ratio = torch.pdist(torch.from_numpy(X)) / torch.pdist(standardize(torch.from_numpy(X)))
    assert_allclose(ratio, ratio[0].item(), rtol=1e-5)
    assert float(standardize.deviation[0]) == pytest.approx(np.sqrt(X.var(axis=0).mean()))


def test_linear_network_is_a_matrix_product():
    network = Linear(LinearOptions(), (5,), 3)
    network.prepare(Rows(np.random.default_rng(0).normal(size=(40, 5)) + 2), torch.Generator())
    x = torch.randn(6, 5)
    centred = (x - network.standardize.mean) / network.standardize.deviation
    with torch.no_grad():
        assert_allclose(network(x), centred @ network.head.weight.T + network.head.bias, atol=1e-6)
    assert Linear(LinearOptions(bias=False), (5,), 3).head.bias is None


def test_mlp_is_layers_of_products_and_relu():
    network = MLP(MLPOptions(hidden=(7, 4)), (5,), 3)
    x = torch.randn(6, 5)
    first, _, second, _ = network.layers
    hidden = torch.relu(x @ first.weight.T + first.bias)
    hidden = torch.relu(hidden @ second.weight.T + second.bias)
    with torch.no_grad():
        assert_allclose(network(x), hidden @ network.head.weight.T + network.head.bias, atol=1e-6)


def test_mlp_without_hidden_layers_is_linear_and_images_are_flattened():
    network = MLP(MLPOptions(hidden=()), (2, 3, 4), 5)
    x = torch.randn(2, 2, 3, 4)
    with torch.no_grad():
        assert_array_equal(network(x), network.head(x.flatten(1)))


def test_unknown_network_or_option_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'linear'"):
        make_network("linar", {}, input_shape=(3,), n_bits=2)
    with pytest.raises(ConfigError, match="Did you mean 'dropout'"):
        make_network("mlp", {"dropuot": 0.1}, input_shape=(3,), n_bits=2)


@pytest.mark.parametrize("width", [10**18, 10**20])
def test_network_that_no_memory_holds_is_refused(width):
    with pytest.raises(ConfigError, match="too large for memory"):
        make_network("mlp", {"hidden": [width]}, input_shape=(8,), n_bits=4)


def test_sketch_of_a_network_has_no_weights():
    before = torch.get_rng_state()
    network = sketch_network("mlp", {"hidden": [10**3]}, input_shape=(8,), n_bits=8)
    assert all(weights.is_meta for weights in network.parameters())
    assert_array_equal(torch.get_rng_state(), before)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="tells no memory")
def test_sketch_of_a_network_larger_than_the_memory_is_refused():
    with pytest.raises(ConfigError, match="'mlp' is too large for memory"):
        sketch_network("mlp", {"hidden": [10**6, 10**6]}, input_shape=(8,), n_bits=8)  # 4 TB


def test_sketch_of_a_network_is_refused_where_the_network_would_be():
    for make in (sketch_network, make_network):
        with pytest.raises(ShapeError, match="takes images of at least 22 x 22; got 8 x 8"):
            make("fast-mnist-cnn", {}, input_shape=(1, 8, 8), n_bits=8)
        with pytest.raises(ConfigError, match="hiden"):
            make("mlp", {"hiden": [8]}, input_shape=(8,), n_bits=8)


@pytest.mark.parametrize(
    "look",
    [
        lambda weight: weight.sum().item(),
        lambda weight: weight.numpy(),
        lambda weight: weight + torch.zeros(3, device="cpu"),
    ],
)
def test_network_that_looks_at_its_weights_has_no_sketch(monkeypatch, look):
    class Curious(Network):
        def __init__(self, options, input_shape, n_bits):
            super().__init__(options, input_shape, n_bits)
            look(torch.zeros(3))

        def forward(self, x):
            return x

    monkeypatch.setattr(registry, "load", lambda kind, name: Curious)
    assert sketch_network("curious", {}, input_shape=(8,), n_bits=8) is None


def test_other_faults_of_a_network_are_not_hidden_by_its_sketch(monkeypatch):
    class Faulty(Network):
        def __init__(self, options, input_shape, n_bits):
            raise RuntimeError("a fault")

        def forward(self, x):
            return x

    monkeypatch.setattr(registry, "load", lambda kind, name: Faulty)
    with pytest.raises(RuntimeError, match="a fault"):
        sketch_network("faulty", {}, input_shape=(8,), n_bits=8)
