import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.dpsh import DPSHObjective, DPSHOptions, pair_likelihood_loss


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


def batch_of(rows, labels):
    return Batch(rows=torch.tensor(rows), x=torch.zeros(len(rows), 1), labels=labels[rows])


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 65])
def test_loss_is_the_likelihood_of_every_pair(n_bits):
    u, v = scores_of(4, n_bits), scores_of(6, n_bits, seed=1)
    similar = torch.rand(4, 6, generator=torch.Generator().manual_seed(0)) < 0.5
    total = 0.0
    for i in range(4):
        for j in range(6):
            theta = float(u[i] @ v[j]) / 2
            total += math.log(1 + math.exp(theta)) - similar[i, j].item() * theta
    assert_allclose(pair_likelihood_loss(u, v, similar), total / 24, rtol=1e-5)


def test_balanced_loss_weighs_both_kinds_of_pairs_alike():
    u, v = scores_of(4, 9), scores_of(6, 9, seed=1)
    similar = torch.zeros(4, 6, dtype=torch.bool)
    similar[0, 2] = similar[3, 3] = True
    kinds = {True: [], False: []}
    for i in range(4):
        for j in range(6):
            theta = float(u[i] @ v[j]) / 2
            kinds[similar[i, j].item()].append(math.log(1 + math.exp(theta)) - similar[i, j].item() * theta)
    expected = (np.mean(kinds[True]) + np.mean(kinds[False])) / 2
    assert_allclose(pair_likelihood_loss(u, v, similar, balanced=True), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [False, True])
def test_balanced_loss_of_one_kind_of_pairs_is_finite(kind):
    u = scores_of(3, 9)
    assert torch.isfinite(pair_likelihood_loss(u, u, torch.full((3, 3), kind), balanced=True))


@pytest.mark.parametrize("balanced", [False, True])
def test_option_reaches_the_loss(balanced):
    labels = torch.arange(6) % 3
    objective = DPSHObjective(DPSHOptions(quantisation=0, balanced=balanced), TaskShape(9, (1,), 6, 3))
    objective.prepare(None, labels, torch.Generator())
    u = scores_of(6, 9)
    similar = labels[:, None] == labels
    expected = pair_likelihood_loss(u, u, similar, balanced=balanced)
    assert_allclose(objective(u, batch_of([0, 1, 2, 3, 4, 5], labels)), expected, rtol=1e-6)


def test_likelihood_of_large_products_is_finite():
    assert_allclose(
        pair_likelihood_loss(torch.tensor([[60.0]]), torch.tensor([[60.0]]), torch.tensor([[False]])), 1800.0
    )


@pytest.mark.parametrize("several", [False, True])
def test_rows_are_compared_with_the_last_scores_of_those_seen(several):
    classes = torch.arange(8) % 3
    labels = torch.nn.functional.one_hot(classes, 3).float() if several else classes
    objective = DPSHObjective(DPSHOptions(), TaskShape(5, (1,), 8, 3))
    objective.prepare(None, labels, torch.Generator())
    first, second = scores_of(3, 5), scores_of(3, 5, seed=1)
    objective(first, batch_of([0, 1, 2], labels))
    loss = objective(second, batch_of([2, 6, 7], labels))
    bank = torch.stack([first[0], first[1], second[0], second[1], second[2]])
    similar = classes[[2, 6, 7]][:, None] == classes[[0, 1, 2, 6, 7]]
    quantisation = np.mean([(z - math.copysign(1, z)) ** 2 for z in second.flatten().tolist()])
    assert_allclose(loss, pair_likelihood_loss(second, bank, similar) + 0.1 * quantisation, rtol=1e-5)
    assert_array_equal(objective.seen, [1, 1, 1, 0, 0, 0, 1, 1])


def test_evaluation_leaves_the_bank_as_it_is():
    labels = torch.arange(4) % 2
    objective = DPSHObjective(DPSHOptions(), TaskShape(5, (1,), 4, 2))
    objective.prepare(None, labels, torch.Generator())
    objective(scores_of(4, 5), batch_of([0, 1, 2, 3], labels))
    before = objective.bank.clone()
    objective.eval()
    batch = Batch(rows=torch.tensor([-1, -1]), x=torch.zeros(2, 1), labels=labels[:2])
    assert torch.isfinite(objective(scores_of(2, 5, seed=2), batch))
    assert torch.equal(objective.bank, before)
    assert objective.state_dict().keys() == {"bank", "bank_labels", "seen"}
