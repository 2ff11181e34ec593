"""Validation searches as a user will: training rows are the database, kept-aside rows the queries."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hammingway.deep import DeepHasher
from hammingway.deep.batches import Rows
from hammingway.deep.config import Training
from hammingway.deep.networks.linear import Linear, LinearOptions
from hammingway.deep.objectives.base import NoOptions, Objective, TaskShape
from hammingway.deep.validation import Part, Validation, bit_entropy
from hammingway.errors import ConfigError


class Medians(Objective):
    registry_name = "medians"

    def forward(self, scores, batch):
        return scores.mean()

    def thresholds(self, scores):
        return scores.median(dim=0).values


class Plain(Medians):
    def thresholds(self, scores):
        return None


def part(X, y=None):
    return Part(Rows(X), None if y is None else torch.from_numpy(y))


def hamming(one, other):
    return (one[:, None, :] != other[None, :, :]).sum(axis=2)


def average_precision_with_ties(distances, relevant):
    """The mean over random orders of equals, by drawing many."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(300):
        hits = relevant[np.lexsort((rng.random(len(distances)), distances))]
        ranks = np.flatnonzero(hits) + 1
        values.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return np.mean(values)


@pytest.mark.parametrize("kind", [Medians, Plain])
def test_map_is_that_of_codes_of_both_parts(blobs, kind):
    X, y = blobs
    torch.manual_seed(0)
    network, objective = Linear(LinearOptions(), (12,), 7), kind(NoOptions(), TaskShape(7, (12,), 90, 4))
    validation = Validation(part(X[:90], y[:90]), part(X[90:100], y[90:100]), Training(), seed=0)
    measured = validation.measure(network, objective, torch.device("cpu"))
    with torch.no_grad():
        database, queries = network(torch.from_numpy(X[:90])), network(torch.from_numpy(X[90:100]))
    shift = objective.thresholds(database)
    shift = 0 if shift is None else shift
    near = hamming((queries > shift).numpy(), (database > shift).numpy())
    expected = [average_precision_with_ties(row, y[:90] == label) for row, label in zip(near, y[90:100], strict=True)]
    assert measured["map"] == pytest.approx(np.mean(expected), abs=0.01)


def test_recall_is_the_share_of_nearest_rows_among_the_first_hundred(blobs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(320, 12)).astype(np.float32)
    torch.manual_seed(0)
    network, objective = Linear(LinearOptions(), (12,), 60), Plain(NoOptions(), TaskShape(60, (12,), 300, None))
    validation = Validation(part(X[:300]), part(X[300:]), Training(), seed=0)
    assert validation.select == "recall"
    measured = validation.measure(network, objective, torch.device("cpu"))
    with torch.no_grad():
        codes = (network(torch.from_numpy(X)) > 0).numpy()
    found = []
    for query in range(300, 320):
        true = np.argsort(((X[:300] - X[query]) ** 2).sum(axis=1))[:10]
        distances = hamming(codes[query : query + 1], codes[:300])[0]
        limit = np.sort(distances)[99]
        below, equal = (distances < limit).sum(), (distances == limit).sum()
        shares = np.where(distances < limit, 1.0, np.where(distances == limit, (100 - below) / equal, 0.0))
        found.append(shares[true].mean())
    assert measured["recall"] == pytest.approx(np.mean(found))


def test_query_network_is_what_queries_are_scored_with(blobs):
    X, y = blobs
    torch.manual_seed(0)
    network, other = Linear(LinearOptions(), (12,), 7), Linear(LinearOptions(), (12,), 7)
    objective = Plain(NoOptions(), TaskShape(7, (12,), 90, 4))
    validation = Validation(part(X[:90], y[:90]), part(X[90:], y[90:]), Training(), seed=0)
    same = validation.measure(network, objective, torch.device("cpu"))
    objective.query_map = network
    assert validation.measure(network, objective, torch.device("cpu")) == same
    objective.query_map = other
    assert validation.measure(network, objective, torch.device("cpu"))["map"] != same["map"]


def test_validation_loss_leaves_the_objectives_state_as_it_was(blobs):
    class Counting(Plain):
        def __init__(self, options, shape):
            super().__init__(options, shape)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, scores, batch):
            assert not self.training
            assert bool((batch.rows == -1).all())
            self.calls += 1
            return scores.mean() + self.calls

    X, y = blobs
    objective = Counting(NoOptions(), TaskShape(7, (12,), 90, 4))
    network = Linear(LinearOptions(), (12,), 7)
    config = Training(select="loss", batch_size=10)
    validation = Validation(part(X[:90], y[:90]), part(X[90:], y[90:]), config, seed=0)
    first = validation.measure(network, objective, torch.device("cpu"))
    assert float(objective.calls) == 0
    assert validation.measure(network, objective, torch.device("cpu")) == first
    assert validation.is_better(1.0, 2.0) and not validation.is_better(2.0, 2.0)


def test_bit_entropy_of_known_shares():
    assert bit_entropy(torch.tensor([0.0, 1.0])) == 0
    assert bit_entropy(torch.tensor([0.25])) == pytest.approx(0.25 * 2 + 0.75 * np.log2(4 / 3))


def test_labels_that_only_the_validation_part_has_do_not_stop_a_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), np.r_[np.zeros(30), np.ones(29), 2].astype(int)
    for seed in range(8):  # the single row of class 2 falls into either part
        budget = {"epochs": 1, "validation_share": 0.5}
        DeepHasher(4, objective="jmlh", network="linear", training=budget, random_state=seed).fit(X, y)


def test_loss_of_an_objective_that_needs_neighbors_is_refused(blobs):
    budget = {"epochs": 1, "validation_share": 0.2, "select": "loss", "batch_size": 40}
    with pytest.raises(ConfigError, match="select 'recall' or 'map'"):
        DeepHasher(8, objective="autohash-neighbors", network="linear", training=budget).fit(blobs[0])
