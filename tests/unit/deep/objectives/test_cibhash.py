import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.cibhash import CIBHashObjective, CIBHashOptions, contrastive_loss, view_divergence
from hammingway.errors import InvalidInputError


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


@pytest.mark.parametrize("n", [2, 4, 10])
def test_contrast_is_the_loss_of_finding_the_other_view(n):
    codes = scores_of(n, 9)
    vectors, total = codes.numpy(), 0.0
    for i in range(n):
        similar = {}
        for j in range(n):
            if j != i:
                cosine = vectors[i] @ vectors[j] / (np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j]))
                similar[j] = math.exp(cosine / 0.3)
        partner = i + 1 if i % 2 == 0 else i - 1
        total -= math.log(similar[partner] / sum(similar.values()))
    assert_allclose(contrastive_loss(codes, temperature=0.3), total / n, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_bits", [1, 8, 65])
def test_divergence_is_the_mean_of_both_directions(n_bits):
    scores, total = scores_of(6, n_bits), 0.0
    chances = 1 / (1 + np.exp(-scores.double().numpy()))
    for p, q in zip(chances[0::2], chances[1::2], strict=True):
        for a, b in ((p, q), (q, p)):
            total += np.sum(a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))) / 2
    assert_allclose(view_divergence(scores), total / 3, rtol=1e-4)


def test_objective_contrasts_signs_and_adds_the_weighted_divergence():
    objective = CIBHashObjective(CIBHashOptions(), TaskShape(9, (1,), 4, None))
    scores = scores_of(8, 9)
    signs = torch.where(scores > 0, 1.0, -1.0)
    expected = contrastive_loss(signs, temperature=0.3) + 1e-3 * view_divergence(scores)
    batch = Batch(rows=torch.arange(8) // 2, x=torch.zeros(8, 1), labels=None)
    assert_allclose(objective(scores, batch), expected, rtol=1e-6)
    with pytest.raises(InvalidInputError, match="an odd number"):
        objective(scores[:3], batch)
