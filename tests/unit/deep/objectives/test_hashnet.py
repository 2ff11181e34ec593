"""HashNet's loss is equations 2 and 4 of its paper, summed in loops, on codes that sharpen by equation 6."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.hashnet import HashNetObjective, HashNetOptions, hashnet_loss


def equation_4(codes, labels, alpha):
    pairs = [(i, j) for i in range(len(codes)) for j in range(i + 1, len(codes))]
    n_similar = sum(labels[i] == labels[j] for i, j in pairs)
    total = 0.0
    for i, j in pairs:
        same = labels[i] == labels[j]
        weight = len(pairs) / n_similar if same else len(pairs) / (len(pairs) - n_similar)
        product = alpha * sum(a * b for a, b in zip(codes[i], codes[j], strict=True))
        total += weight * (math.log1p(math.exp(product)) - same * product)
    return total / len(pairs)


def batch(labels, step=0, total_steps=100):
    return Batch(torch.arange(len(labels)), torch.zeros(len(labels), 1), labels, step=step, total_steps=total_steps)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 65])
@pytest.mark.parametrize("labels", [[0, 1], [0, 0], [0, 1, 0, 2, 1, 1, 2]])
def test_loss_is_that_of_the_paper(n_bits, labels):
    rng = np.random.default_rng(n_bits)
    scores = rng.normal(size=(len(labels), n_bits))
    objective = HashNetObjective(HashNetOptions(sharpness=0.3), TaskShape(n_bits, (1,), 9, 3))
    loss = objective(torch.from_numpy(scores), batch(torch.tensor(labels), step=10))
    expected = equation_4(np.tanh(2.0 * scores), labels, 10 / n_bits)  # sqrt(1 + 0.3 * 10) = 2
    assert float(loss) == pytest.approx(expected, rel=1e-9)


def test_gradient_is_that_of_small_differences():
    rng = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    similar = torch.tensor([0, 0, 1, 1, 2])[:, None] == torch.tensor([0, 0, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda one: hashnet_loss(torch.tanh(one), similar, alpha=0.7), (scores,))


def test_large_products_do_not_overflow():
    codes = torch.ones(4, 64)
    loss = hashnet_loss(codes, torch.zeros(4, 4, dtype=torch.bool), alpha=100.0)
    assert float(loss) == pytest.approx(6400.0)


def test_sharpness_reaches_the_published_end_whatever_the_length_of_the_run():
    objective = HashNetObjective(HashNetOptions(), TaskShape(8, (1,), 9, 3))
    labels = torch.tensor([0, 1])
    for total in (10, 10_000):
        assert objective.scale(batch(labels, step=total, total_steps=total)) == pytest.approx(math.sqrt(51))
        assert objective.scale(batch(labels, step=0, total_steps=total)) == 1.0
    published = HashNetObjective(HashNetOptions(sharpness=0.005), TaskShape(8, (1,), 9, 3))
    assert published.scale(batch(labels, step=3000, total_steps=10)) == pytest.approx(4.0)
