"""A row's scores are its own: whatever the batch, the place in it, the split, or the number of threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits
from torch import nn

from hammingway import registry
from hammingway.deep import DSH, DeepHasher, Network, inference
from hammingway.deep.inference import Scorer, one_thread
from hammingway.deep.networks.mlp import MLP, MLPOptions
from hammingway.deep.objectives.base import NoOptions

TINY = {"epochs": 1}


def mlp(**options):
    torch.manual_seed(0)
    return MLP(MLPOptions(hidden=(96, 33), **options), (12,), 19)


class Company(Network):
    """Scores that depend on where a row stands, as a careless kernel's rounding would."""

    def forward(self, x):
        return x[:, : self.n_bits] + 1e-6 * torch.arange(len(x))[:, None]


class Batchwise(Network):
    """Scores that depend on the other rows."""

    def forward(self, x):
        return x[:, : self.n_bits] - x[:, : self.n_bits].mean(dim=0)


def test_scores_equal_the_networks_within_rounding():
    network, x = mlp(), torch.randn(150, 12)
    with torch.no_grad():
        assert_allclose(Scorer(network, torch.device("cpu"))(x), network.eval()(x), atol=1e-6)


@pytest.mark.parametrize("size", [1, 7, 63, 64, 65, 130])
def test_scores_do_not_depend_on_the_split(size):
    scorer, x = Scorer(mlp(batch_norm=True, dropout=0.5), torch.device("cpu")), torch.randn(150, 12)
    split = torch.cat([scorer(part) for part in x.split(size)])
    assert_array_equal(split, scorer(x))


def test_scores_do_not_depend_on_place_or_company():
    scorer, x = Scorer(mlp(), torch.device("cpu")), torch.randn(150, 12)
    order = torch.randperm(150)
    assert_array_equal(scorer(x[order]), scorer(x)[order])
    assert_array_equal(scorer(torch.cat([x[:3], 1e4 * x]))[:3], scorer(x)[:3])


@pytest.mark.parametrize("kind", [Company, Batchwise])
def test_network_whose_scores_depend_on_the_block_is_scored_row_by_row(kind):
    scorer, x = Scorer(kind(NoOptions(), (12,), 5), torch.device("cpu")), torch.randn(70, 12)
    assert scorer.block_rows == 1
    assert_array_equal(torch.cat([scorer(row) for row in x.split(1)]), scorer(x))


def test_plain_network_is_scored_in_blocks():
    assert Scorer(mlp(), torch.device("cpu")).block_rows == 64


def test_large_images_come_in_smaller_blocks_and_rows_fill_them(digits):
    class Mean(Network):
        def forward(self, x):
            return x.flatten(1)[:, :2]

    for side, expected in ((8, 64), (224, 16), (500, 4), (3000, 1)):
        network = Mean(NoOptions(), (3, side, side), 2)
        assert inference._sizes(network)[0] == expected
    hasher = DSH(9, random_state=0, training=TINY).fit(*digits)
    assert hasher._rows_a_block() == 64


def test_number_of_threads_is_put_back():
    torch.set_num_threads(2)
    with one_thread(), one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_codes_do_not_depend_on_the_number_of_threads(digits, n_threads):
    X, y = digits
    hasher = DSH(33, random_state=0, training=TINY).fit(X, y)
    with threadpool_limits(1):
        expected = hasher.project(X)
    torch.set_num_threads(n_threads)
    with threadpool_limits(n_threads):
        assert_array_equal(hasher.project(X), expected)


def test_calls_from_several_threads_give_the_same_codes(digits):
    X, y = digits
    hasher = DSH(33, random_state=0, training=TINY).fit(X, y)
    expected, found = hasher.encode(X).packed, [None] * 4

    def work(number):
        found[number] = hasher.encode(X).packed

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for packed in found:
        assert_array_equal(packed, expected)


@pytest.mark.parametrize("network", ["linear", "mlp", {"name": "mlp", "batch_norm": True, "dropout": 0.3}])
def test_codes_of_single_rows_parts_and_permutations_agree(digits, network):
    X, y = digits
    hasher = DeepHasher(33, objective="hashnet", network=network, random_state=0, training=TINY).fit(X, y)
    scores, order = hasher.project(X), np.random.default_rng(0).permutation(len(X))
    assert_array_equal(hasher.project(X[order]), scores[order])
    assert_array_equal(np.vstack([hasher.project(X[row : row + 1]) for row in range(20)]), scores[:20])
    assert_array_equal(np.vstack([hasher.project(X[:100]), hasher.project(X[100:])]), scores)


def test_a_network_that_pads_images_gets_them_channels_first():
    class Corner(Network):
        registry_name = "corner"

        def __init__(self, options, input_shape, n_bits):
            super().__init__(options, input_shape, n_bits)
            self.pool = nn.Identity()

        def forward(self, x):
            return x[:, :, 0, 1]

    from hammingway.deep.batches import as_examples

    rows = np.arange(24, dtype=np.float64).reshape(2, 12)  # two images of 2 x 2 pixels and 3 channels
    x = as_examples(rows, (2, 2, 3))
    assert x.shape == (2, 3, 2, 2)
    scores = Scorer(Corner(NoOptions(), (3, 2, 2), 3), torch.device("cpu"))(x)
    assert_array_equal(scores, rows.reshape(2, 2, 2, 3)[:, 0, 1])


def test_registered_networks_keep_their_names():
    for name in ("linear", "mlp"):
        assert registry.load("networks", name).registry_name == name
