import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional

from hammingway.deep.networks.fast_mnist_cnn import FastMnistNetwork
from hammingway.deep.objectives.base import NoOptions
from hammingway.errors import ShapeError


def images(n, shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, size=(n, *shape)).astype(np.float32))


def normalised(state, name, x):
    shape = (1, -1, *[1] * (x.ndim - 2))
    mean, variance = state[f"{name}.running_mean"].reshape(shape), state[f"{name}.running_var"].reshape(shape)
    scaled = (x - mean) / (variance + 1e-5).sqrt()
    return scaled * state[f"{name}.weight"].reshape(shape) + state[f"{name}.bias"].reshape(shape)


def test_scores_are_those_of_the_published_order_of_layers():
    torch.manual_seed(0)
    network = FastMnistNetwork(NoOptions(), (1, 56, 56), 64)
    x = images(8, (1, 56, 56)) / 255
    network(x)  # gives the batch normalisations something to remember
    network.eval()
    state = network.state_dict()
    value = x
    for number, norm, padding in ((0, 3, 0), (4, 7, 0), (8, None, 1)):
        value = functional.conv2d(
            value, state[f"features.{number}.weight"], state[f"features.{number}.bias"], padding=padding
        )
        value = functional.max_pool2d(value, 2).clamp(min=0)
        value = value if norm is None else normalised(state, f"features.{norm}", value)
    assert value.flatten(1).shape == (8, 1728)
    value = (value.flatten(1) @ state["hidden.weight"].T + state["hidden.bias"]).clamp(min=0)
    expected = normalised(state, "normalize", value @ state["head.weight"].T + state["head.bias"])
    assert_allclose(network(x).detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 22, 23), (1, 57, 40)])
@pytest.mark.parametrize("n_bits", [1, 9, 64])
def test_other_sizes_fit(shape, n_bits):
    assert FastMnistNetwork(NoOptions(), shape, n_bits)(images(2, shape)).shape == (2, n_bits)


def test_smaller_images_are_refused():
    with pytest.raises(ShapeError, match="at least 22 x 22"):
        FastMnistNetwork(NoOptions(), (1, 21, 28), 8)
