import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.greedyhash import (
    GreedyHashObjective,
    GreedyHashOptions,
    UnsupervisedGreedyHashObjective,
    UnsupervisedGreedyHashOptions,
    cubic_quantisation,
)
from hammingway.deep.objectives.straight_through import straight_through_sign
from hammingway.errors import InvalidInputError


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


def test_signs_are_codes_and_their_gradient_passes_unchanged():
    scores = torch.tensor([[-0.5, 0.0, 2.0]], requires_grad=True)
    signs = straight_through_sign(scores)
    assert_array_equal(signs.detach(), [[-1, -1, 1]])
    (signs * torch.tensor([[3.0, 5.0, 7.0]])).sum().backward()
    assert_array_equal(scores.grad, [[3, 5, 7]])


@pytest.mark.parametrize("n_bits", [1, 8, 9])
def test_quantisation_is_the_mean_cube(n_bits):
    scores = scores_of(5, n_bits)
    expected = sum(abs(abs(z) - 1) ** 3 for row in scores.tolist() for z in row) / (5 * n_bits)
    assert_allclose(cubic_quantisation(scores), expected, rtol=1e-5)


def test_loss_is_cross_entropy_of_the_signs_plus_quantisation():
    objective = GreedyHashObjective(GreedyHashOptions(), TaskShape(6, (1,), 4, 3))
    scores, labels = scores_of(4, 6), torch.tensor([0, 2, 1, 1])
    weights = objective.classifier.weight.detach().numpy()
    entropy = 0.0
    for row, label in zip(scores.numpy(), labels.tolist(), strict=True):
        logits = weights @ np.where(row > 0, 1, -1)
        entropy -= logits[label] - math.log(sum(math.exp(logit) for logit in logits))
    batch = Batch(rows=torch.arange(4), x=torch.zeros(4, 1), labels=labels)
    expected = entropy / 4 + 0.1 * cubic_quantisation(scores).item()
    assert_allclose(objective(scores, batch).item(), expected, rtol=1e-5)


def test_unsupervised_loss_matches_cosines_of_signs_and_inputs():
    objective = UnsupervisedGreedyHashObjective(UnsupervisedGreedyHashOptions(), TaskShape(6, (3,), 5, None))
    scores, x = scores_of(5, 6), scores_of(5, 3, seed=1)
    signs, inputs = np.where(scores > 0, 1, -1), x.numpy()
    errors = []
    for i in range(2):
        cosine = inputs[i] @ inputs[i + 2] / np.linalg.norm(inputs[i]) / np.linalg.norm(inputs[i + 2])
        errors.append((signs[i] @ signs[i + 2] / 6 - cosine) ** 2)
    expected = np.mean(errors) + 0.1 * cubic_quantisation(scores).item()
    batch = Batch(rows=torch.arange(5), x=x, labels=None)
    assert_allclose(objective(scores, batch).item(), expected, rtol=1e-5)


def test_one_row_has_no_pair():
    objective = UnsupervisedGreedyHashObjective(UnsupervisedGreedyHashOptions(), TaskShape(6, (3,), 5, None))
    with pytest.raises(InvalidInputError, match="at least 2 rows"):
        objective(torch.zeros(1, 6), Batch(rows=torch.arange(1), x=torch.zeros(1, 3), labels=None))
