import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.networks.autohash import AutoHashNetwork, AutoHashNetworkOptions
from hammingway.errors import ShapeError


def rows_of(n, shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32))


@pytest.mark.parametrize("n_bits", [1, 7, 22, 64])
def test_scores_equal_the_layers_by_hand(n_bits):
    torch.manual_seed(0)
    network = AutoHashNetwork(AutoHashNetworkOptions(hidden=(8, 4)), (6,), n_bits)
    x = rows_of(20, (6,))
    network(x)  # gives the batch normalisation something to remember
    network.eval()
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    values = x.double().numpy() / np.linalg.norm(x.double().numpy(), axis=1, keepdims=True)
    for linear, norm in (("layers.0", "layers.1"), ("layers.3", "layers.4")):
        values = values @ state[f"{linear}.weight"].T + state[f"{linear}.bias"]
        values = (values - state[f"{norm}.running_mean"]) / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        values = np.tanh(values * state[f"{norm}.weight"] + state[f"{norm}.bias"])
    expected = values @ state["head.weight"].T + state["head.bias"]
    assert_allclose(network(x).detach(), expected, rtol=1e-3, atol=1e-5)


def test_one_feature_has_no_direction_but_a_value():
    with pytest.raises(ShapeError, match=r"1 feature\(s\)"):
        AutoHashNetwork(AutoHashNetworkOptions(), (1,), 5)
    assert AutoHashNetwork(AutoHashNetworkOptions(normalize=False), (1,), 5)(rows_of(4, (1,))).shape == (4, 5)


def test_only_the_direction_counts_and_zero_is_finite():
    network = AutoHashNetwork(AutoHashNetworkOptions(), (2, 3, 1), 5).eval()
    x = rows_of(4, (2, 3, 1))
    assert_allclose(network(7 * x).detach(), network(x).detach(), rtol=1e-4, atol=1e-6)
    assert torch.isfinite(network(0 * x)).all()
    plain = AutoHashNetwork(AutoHashNetworkOptions(normalize=False), (2, 3, 1), 5).eval()
    assert not torch.allclose(plain(7 * x), plain(x))
