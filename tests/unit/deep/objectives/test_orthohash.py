import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.orthohash import OrthoHashObjective, OrthoHashOptions, margin_cosine_loss


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


def expected_loss(codes, centres, shares, targets, scale, margin):
    total = 0.0
    for code, share, target in zip(codes, shares, targets, strict=True):
        cosines = [code @ centre / (np.linalg.norm(code) * np.linalg.norm(centre)) for centre in centres]
        logits = [scale * (cosine - margin * hot) for cosine, hot in zip(cosines, target, strict=True)]
        normaliser = math.log(sum(map(math.exp, logits)))
        total -= sum(part * (logit - normaliser) for part, logit in zip(share, logits, strict=True))
    return total / len(codes)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 64])
def test_loss_is_the_margin_softmax_of_cosines(n_bits):
    codes, centres = scores_of(5, n_bits), torch.sign(scores_of(3, n_bits, seed=1))
    labels = torch.tensor([0, 1, 2, 1, 0])
    targets = np.eye(3)[labels]
    expected = expected_loss(codes.numpy(), centres.numpy(), targets, targets, 8.0, 0.2)
    assert_allclose(margin_cosine_loss(codes, centres, labels, scale=8.0, margin=0.2), expected, rtol=1e-5)


def test_several_labels_share_the_target():
    codes, centres = scores_of(2, 8), torch.sign(scores_of(3, 8, seed=1))
    targets = torch.tensor([[1.0, 1, 0], [0, 0, 1]])
    shares = targets.numpy() / [[2], [1]]
    expected = expected_loss(codes.numpy(), centres.numpy(), shares, targets.numpy(), 8.0, 0.2)
    assert_allclose(margin_cosine_loss(codes, centres, targets, scale=8.0, margin=0.2), expected, rtol=1e-5)


def test_scores_are_normalised_over_the_batch_and_the_mean_becomes_the_threshold():
    objective = OrthoHashObjective(OrthoHashOptions(), TaskShape(8, (1,), 6, 3))
    objective.prepare(None, None, torch.Generator().manual_seed(0))
    scores, labels = scores_of(6, 8) * 3 + 5, torch.tensor([0, 1, 2, 0, 1, 2])
    normal = torch.nn.functional.batch_norm(scores, None, None, training=True)
    expected = margin_cosine_loss(normal, objective.centres, labels, scale=8.0, margin=0.2)
    batch = Batch(rows=torch.arange(6), x=torch.zeros(6, 1), labels=labels)
    assert_allclose(objective(scores, batch), expected, rtol=1e-5)
    assert_allclose(objective.thresholds(scores), scores.numpy().mean(axis=0), rtol=1e-6)
