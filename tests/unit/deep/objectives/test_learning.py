"""Every objective learns: its loss falls, its codes beat random hyperplanes, and they are a row's own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway import metrics, registry
from hammingway.deep import DeepHasher
from hammingway.hashers import RandomHyperplanes

N_BITS = 16
MLP = {"name": "mlp", "hidden": (32,)}
# Objective, options that suit ten classes rather than thousands, and a network that fits it.
CASES = [
    ("autohash", {"hidden": (16, 32)}, {"name": "autohash", "hidden": (32, 16)}),
    ("autohash-neighbors", {}, MLP),
    ("autohash-neighbors", {"reconstruction": 1.0, "hidden": (16, 32)}, MLP),
    ("bihalf", {"center": True}, "linear"),
    ("cibhash", {}, {**MLP, "dropout": 0.3}),
    ("csq", {}, MLP),
    ("dpsh", {}, MLP),
    ("dsh", {}, MLP),
    ("greedyhash", {}, MLP),
    ("greedyhash-unsupervised", {"center": True}, "linear"),
    ("hagcn", {"filter": "gcn"}, "linear"),
    ("hagcn", {"filter": "fourier"}, "linear"),
    ("hagcn", {"filter": "spline"}, "linear"),
    ("hagcn", {"filter": "chebyshev", "order": 5}, "linear"),
    ("hagcn", {"filter": "lanczos"}, "linear"),
    ("hagcn", {"graph": "none"}, "linear"),
    ("hashnet", {}, MLP),
    ("hashnet-shannon", {}, MLP),
    ("jmlh", {}, MLP),
    ("jmlh", {"neurons": "sign"}, MLP),
    ("orthohash", {}, MLP),
    ("shannon-hamming", {"entropy": 1e-3}, MLP),
    ("shannon-hamming", {"entropy": 1e-3, "gradient": "pseudo-smooth"}, MLP),
    ("shannon-hamming", {"entropy": 3e-4, "gradient": "straight-through"}, MLP),
    ("shannon-hamming", {"entropy": 1e-3, "tuple_size": 4, "shuffle": True}, MLP),
]


def mean_average_precision(codes, y):
    """Return it over all rows as queries, each ranking all others, ties in expectation."""
    counts = metrics.distance_counts(codes, codes, (y, y), own_rows=np.arange(len(y)))
    return metrics.average_precision(counts).mean()


@pytest.fixture(scope="module")
def baseline(digits):
    X, y = digits
    seeds = range(5)
    return np.mean(
        [
            mean_average_precision(RandomHyperplanes(N_BITS, random_state=s, center=True).fit(X).encode(X), y)
            for s in seeds
        ]
    )


@pytest.mark.parametrize(
    ("name", "options", "network"),
    CASES,
    ids=[" ".join([name, *map(str, options.values())]) for name, options, _ in CASES],
)
def test_loss_falls_and_codes_beat_random_hyperplanes(digits, baseline, name, options, network):
    X, y = digits
    training = {"epochs": 15, "batch_size": 64, "learning_rate": 3e-3}
    hasher = DeepHasher(
        N_BITS, objective={"name": name, **options}, network=network, training=training, random_state=0
    ).fit(X, y)
    losses = [entry["loss"] for entry in hasher.training_log_ if "loss" in entry]
    assert len(losses) == 15
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    codes = hasher.encode(X)
    assert mean_average_precision(codes, y) > baseline
    order = np.random.default_rng(0).permutation(len(X))
    assert_array_equal(hasher.encode(X[order]).packed, codes.packed[order])
    assert_array_equal(hasher.encode(X[:1]).packed, codes.packed[:1])


def test_no_objective_is_left_out():
    assert {name for name, _, _ in CASES} >= set(registry.names("objectives"))


def test_published_hagcn_trains_too(digits):
    X, _ = digits
    for name in ("gcn", "fourier", "spline", "chebyshev", "lanczos"):
        objective = {"name": "hagcn", "faithful": True, "filter": name, "order": 6}
        training = {"epochs": 10, "learning_rate": 1e-3, "batch_size": 60}
        hasher = DeepHasher(N_BITS, objective=objective, network="linear", training=training, random_state=0).fit(X)
        losses = [entry["loss"] for entry in hasher.training_log_ if "loss" in entry]
        assert losses[-1] < losses[0]
