import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.jmlh import JMLHObjective, JMLHOptions, bernoulli_divergence, binary_neurons
from hammingway.errors import InvalidInputError


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def scores_of(n, n_bits, seed=0, scale=2.0):
    return torch.from_numpy((np.random.default_rng(seed).normal(size=(n, n_bits)) * scale).astype(np.float32))


def batch_of(labels):
    labels = torch.as_tensor(labels)
    return Batch(rows=torch.arange(len(labels)), x=torch.zeros(len(labels), 1), labels=labels)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 65])
def test_divergence_equals_its_definition_bit_by_bit(n_bits):
    scores = scores_of(6, n_bits)
    expected = 0.0
    for row in scores.tolist():
        for z in row:
            p = sigmoid(z)
            expected += p * math.log(p / 0.5) + (1 - p) * math.log((1 - p) / 0.5)
    assert_allclose(bernoulli_divergence(scores), expected / 6, rtol=1e-5)


def test_divergence_of_saturated_bits_is_one_bit_each_and_finite():
    scores = torch.tensor([[200.0, -200.0, 1e4]], requires_grad=True)
    divergence = bernoulli_divergence(scores)
    divergence.backward()
    assert_allclose(divergence.item(), 3 * math.log(2), rtol=1e-6)
    assert torch.isfinite(scores.grad).all()


def test_neurons_are_exact_bits_with_the_gradient_of_their_chances():
    scores, uniform = scores_of(50, 9).requires_grad_(), torch.rand(50, 9, generator=torch.Generator().manual_seed(0))
    bits = binary_neurons(scores, uniform)
    assert_array_equal(bits.detach().numpy(), (torch.sigmoid(scores) >= uniform).float())
    bits.sum().backward()
    chances = torch.sigmoid(scores).detach()
    assert_allclose(scores.grad, chances * (1 - chances), rtol=1e-5)


def test_loss_is_cross_entropy_of_the_bits_plus_the_weighted_divergence():
    objective = JMLHObjective(JMLHOptions(neurons="deterministic"), TaskShape(5, (1,), 8, 3))
    scores, labels = scores_of(8, 5), [0, 1, 2, 0, 1, 2, 2, 2]
    weights, bias = objective.classifier.weight.detach().numpy(), objective.classifier.bias.detach().numpy()
    entropy = 0.0
    for row, label in zip(scores.numpy(), labels, strict=True):
        logits = weights @ (row >= 0) + bias
        entropy -= math.log(math.exp(logits[label]) / sum(math.exp(logit) for logit in logits))
    expected = entropy / 8 + 0.1 * bernoulli_divergence(scores).item()
    assert_allclose(objective(scores, batch_of(labels)).item(), expected, rtol=1e-5)
    assert_allclose(sum(objective.terms.values()), expected, rtol=1e-5)


def test_sign_neurons_are_signs_to_the_classifier_with_the_gradient_of_the_score():
    objective = JMLHObjective(JMLHOptions(neurons="sign", divergence=0.0), TaskShape(5, (1,), 8, 3))
    scores, labels = scores_of(8, 5).requires_grad_(), torch.tensor([0, 1, 2, 0, 1, 2, 2, 2])
    loss = objective(scores, batch_of(labels))
    loss.backward()
    signs = torch.sign(scores.detach()).requires_grad_()
    expected = torch.nn.functional.cross_entropy(objective.classifier(signs), labels)
    expected.backward()
    assert_allclose(loss.item(), expected.item(), rtol=1e-6)
    assert_allclose(scores.grad, signs.grad, rtol=1e-6)


def test_several_labels_take_a_binary_cross_entropy_each():
    objective = JMLHObjective(JMLHOptions(neurons="deterministic", divergence=0.0), TaskShape(4, (1,), 2, 3))
    scores, labels = scores_of(2, 4), np.array([[1, 0, 1], [0, 1, 0]], dtype=np.float32)
    losses = []
    for row, wanted in zip(scores.numpy(), labels, strict=True):
        logits = objective.classifier.weight.detach().numpy() @ (row >= 0) + objective.classifier.bias.detach().numpy()
        losses += [-math.log(sigmoid(z) if label else 1 - sigmoid(z)) for z, label in zip(logits, wanted, strict=True)]
    assert_allclose(objective(scores, batch_of(labels)).item(), np.mean(losses), rtol=1e-5)


def test_neurons_are_drawn_while_training_and_fixed_while_evaluating():
    objective = JMLHObjective(JMLHOptions(divergence=0.0), TaskShape(16, (1,), 32, 4))
    scores, batch = scores_of(32, 16, scale=0.1), batch_of(torch.arange(32) % 4)
    assert objective(scores, batch) != objective(scores, batch)
    objective.eval()
    assert objective(scores, batch) == objective(scores, batch)


def test_classifier_is_state_that_a_checkpoint_keeps():
    objective = JMLHObjective(JMLHOptions(bias=False), TaskShape(16, (1,), 32, 4))
    assert objective.state_dict().keys() == {"classifier.weight"}


def test_without_labels_it_says_so():
    with pytest.raises(InvalidInputError, match="pass y to fit"):
        JMLHObjective(JMLHOptions(), TaskShape(4, (1,), 2, None))
