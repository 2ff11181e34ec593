import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.csq import CSQObjective, CSQOptions, central_similarity_loss


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


@pytest.mark.parametrize("n_bits", [1, 7, 9])
def test_loss_is_the_cross_entropy_of_each_bit(n_bits):
    scores, targets = scores_of(4, n_bits), torch.sign(scores_of(4, n_bits, seed=1))
    losses = []
    for z, target in zip(scores.flatten().tolist(), targets.flatten().tolist(), strict=True):
        chance = (math.tanh(z) + 1) / 2
        losses.append(-math.log(chance if target > 0 else 1 - chance))
    assert_allclose(central_similarity_loss(scores, targets), np.mean(losses), rtol=1e-5)


def test_loss_of_saturated_wrong_bits_is_finite():
    assert_allclose(central_similarity_loss(torch.tensor([[100.0]]), torch.tensor([[-1.0]])), 200.0)


@pytest.mark.parametrize("several", [False, True])
def test_objective_draws_codes_to_the_centre_of_their_class(several):
    objective = CSQObjective(CSQOptions(), TaskShape(12, (1,), 6, 3))
    objective.prepare(None, None, torch.Generator().manual_seed(0))
    scores, labels = scores_of(6, 12), torch.tensor([0, 1, 2, 0, 1, 2])
    targets = objective.centres[labels]
    given = torch.nn.functional.one_hot(labels, 3).float() if several else labels
    quantisation = np.mean([(abs(math.tanh(z)) - 1) ** 2 for z in scores.flatten().tolist()])
    expected = central_similarity_loss(scores, targets).item() + 1e-4 * quantisation
    loss = objective(scores, Batch(rows=torch.arange(6), x=torch.zeros(6, 1), labels=given))
    assert_allclose(loss.item(), expected, rtol=1e-6)


def test_centres_are_state_that_a_checkpoint_keeps():
    objective = CSQObjective(CSQOptions(), TaskShape(12, (1,), 6, 3))
    assert objective.state_dict().keys() == {"centres", "tie_breaker"}
