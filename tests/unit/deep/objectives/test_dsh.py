"""DSH's loss is equation 5 of its paper, summed in loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.dsh import DSHObjective, DSHOptions, dsh_loss


def equation_5(scores, labels, margin, alpha):
    n, total, regularizer = len(scores), 0.0, 0.0
    for i in range(n):
        for j in range(i + 1, n):
            squared = sum((a - b) ** 2 for a, b in zip(scores[i], scores[j], strict=True))
            total += squared / 2 if labels[i] == labels[j] else max(margin - squared, 0) / 2
            regularizer += sum(abs(abs(a) - 1) + abs(abs(b) - 1) for a, b in zip(scores[i], scores[j], strict=True))
    pairs = n * (n - 1) / 2
    return total / pairs, alpha * regularizer / pairs


def batch(labels):
    return Batch(torch.arange(len(labels)), torch.zeros(len(labels), 1), labels)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 65])
@pytest.mark.parametrize("n", [2, 3, 12])
def test_loss_is_that_of_the_paper(n, n_bits):
    rng = np.random.default_rng([n, n_bits])
    scores, labels = rng.normal(size=(n, n_bits)) * 1.5, rng.integers(3, size=n)
    objective = DSHObjective(DSHOptions(), TaskShape(n_bits, (1,), n, 3))
    loss = objective(torch.from_numpy(scores), batch(torch.from_numpy(labels)))
    pairs, regularizer = equation_5(scores, labels, 2 * n_bits, 0.01)
    assert float(loss) == pytest.approx(pairs + regularizer, rel=1e-9)
    assert float(objective.terms["pairs"]) == pytest.approx(pairs, rel=1e-9)
    assert float(objective.terms["regularizer"]) == pytest.approx(regularizer, rel=1e-9)


def test_options_replace_the_published_constants():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(6, 4)), np.array([0, 0, 1, 1, 2, 2])
    objective = DSHObjective(DSHOptions(margin=3.0, alpha=0.5), TaskShape(4, (1,), 6, 3))
    loss = objective(torch.from_numpy(scores), batch(torch.from_numpy(labels)))
    assert float(loss) == pytest.approx(sum(equation_5(scores, labels, 3.0, 0.5)))


def test_gradient_is_that_of_small_differences():
    rng = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    similar = torch.tensor([0, 0, 1, 1, 2])[:, None] == torch.tensor([0, 0, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda one: sum(dsh_loss(one, similar, margin=8.0, alpha=0.1)), (scores,))


def test_equal_examples_of_different_classes_cost_half_the_margin():
    pairs, _ = dsh_loss(torch.full((2, 3), 1.0), torch.eye(2, dtype=torch.bool), margin=6.0, alpha=0.0)
    assert float(pairs) == 3.0


def test_examples_that_share_one_of_several_labels_are_similar():
    labels = torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 0]])
    scores = torch.randn(3, 4)
    objective = DSHObjective(DSHOptions(), TaskShape(4, (1,), 3, 3))
    similar = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 1]], dtype=torch.bool)
    assert float(objective(scores, batch(labels))) == float(sum(dsh_loss(scores, similar, margin=8.0, alpha=0.01)))
