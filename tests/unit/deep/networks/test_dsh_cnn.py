import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from hammingway.deep import DSH
from hammingway.deep.batches import Rows
from hammingway.deep.networks.dsh_cnn import DSHNetwork, DSHNetworkOptions
from hammingway.errors import ShapeError


def images(n, shape=(32, 32, 3), seed=0):
    return Rows(
        np.random.default_rng(seed).integers(0, 256, size=(n, np.prod(shape)), dtype=np.uint8), image_shape=shape
    )


def made(n_bits, input_shape=(3, 32, 32), **options):
    torch.manual_seed(0)
    return DSHNetwork(DSHNetworkOptions(**options), input_shape, n_bits)


def pooled(x, kind):
    """Return 3 x 3 pooling by steps of 2 of (c, h, w), rounded up; windows over the edge count what is inside."""
    c, h, w = x.shape
    out = np.empty((c, -(-(h - 3) // 2) + 1, -(-(w - 3) // 2) + 1))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            window = x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].reshape(c, -1)
            out[:, i, j] = window.max(axis=1) if kind == "max" else window.mean(axis=1)
    return out


def convolved(x, weight, bias):
    _, h, w = x.shape
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2)))
    out = np.empty((len(weight), h, w))
    for i in range(h):
        for j in range(w):
            out[:, i, j] = np.tensordot(weight, padded[:, i : i + 5, j : j + 5], axes=3) + bias
    return out


def test_scores_equal_the_layers_by_loops():
    data = images(3)
    network = made(12)
    network.prepare(data, torch.Generator())
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    x = (data[:].double().numpy()[0] - state["standardize.mean"]) / state["standardize.deviation"]
    for number, kind in ((0, "max"), (3, "mean"), (6, "mean")):
        x = pooled(
            np.maximum(convolved(x, state[f"features.{number}.weight"], state[f"features.{number}.bias"]), 0), kind
        )
    assert x.shape == (64, 4, 4)
    hidden = np.maximum(state["hidden.weight"] @ x.ravel() + state["hidden.bias"], 0)
    expected = state["head.weight"] @ hidden + state["head.bias"]
    assert_allclose(network(data[:])[0].detach(), expected, rtol=1e-3, atol=1e-4)


def test_input_is_standardised_by_channel():
    data, network = images(20), made(12)
    network.prepare(data, torch.Generator())
    pixels = data[:].numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    assert_allclose(network.standardize.mean.flatten(), pixels.mean(axis=1), rtol=1e-5)
    assert_allclose(network.standardize.deviation.flatten(), pixels.std(axis=1), rtol=1e-5)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 48])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 8), (3, 32, 24)])
def test_any_image_size_and_width_of_code(shape, n_bits):
    assert made(n_bits, shape, batch_norm=True)(torch.zeros(2, *shape)).shape == (2, n_bits)


def test_vectors_are_refused():
    with pytest.raises(ShapeError, match="takes images"):
        made(8, (12,))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_weights_start_uniform_with_variance_one_over_inputs(batch_norm):
    network = made(500, batch_norm=batch_norm)
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == 5
    for layer in layers:
        weight = layer.weight.detach().flatten(1)
        assert float(weight.var() * weight.shape[1]) == pytest.approx(1, rel=0.05)
        assert float(weight.abs().max()) <= np.sqrt(3 / weight.shape[1]) * (1 + 1e-6)
        assert not layer.bias.any()


@pytest.mark.slow
def test_digits_are_learnt_without_batch_normalisation():
    pixels, labels = load_digits(return_X_y=True)
    training = {"epochs": 10, "learning_rate": 0.003, "validation_share": 0.2}
    hasher = DSH(16, network="dsh-cnn", image_shape=(8, 8, 1), training=training, random_state=0)
    assert max(entry["validation"]["map"] for entry in hasher.fit(pixels, labels).training_log_) > 0.6
