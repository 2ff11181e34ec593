import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep import HashNetShannon
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.hashnet_shannon import (
    HashNetShannonObjective,
    HashNetShannonOptions,
    positive_pair_loss,
)
from hammingway.deep.objectives.tuple_entropy import tuple_entropy
from hammingway.metrics import average_precision, distance_counts


def scores_of(n, n_bits, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)).astype(np.float32))


def batch_of(n, step=0, total_steps=1):
    return Batch(rows=torch.arange(n) // 2, x=torch.zeros(n, 1), labels=None, step=step, total_steps=total_steps)


def test_pair_loss_is_hashnets_likelihood_of_similar_pairs():
    codes = torch.tanh(scores_of(6, 9))
    products = [float(codes[i] @ codes[i + 1]) for i in (0, 2, 4)]
    expected = np.mean([math.log(1 + math.exp(0.05 * d)) - 0.05 * d for d in products])
    assert_allclose(positive_pair_loss(codes, alpha=0.05), expected, rtol=1e-5)


def test_loss_at_64_bits_has_the_published_constants():
    objective = HashNetShannonObjective(HashNetShannonOptions(), TaskShape(64, (1,), 8, None))
    scores = scores_of(8, 64)
    expected = positive_pair_loss(torch.tanh(scores), alpha=0.05) - 1e-4 * tuple_entropy(scores, None, size=3)
    assert_allclose(objective(scores, batch_of(8)), expected, rtol=1e-5)


@pytest.mark.parametrize("n_bits", [3, 8, 9, 32, 65])
def test_independent_fair_bits_cost_the_same_at_every_width(n_bits):
    def entropy(width):
        objective = HashNetShannonObjective(HashNetShannonOptions(), TaskShape(width, (1,), 8, None))
        objective(torch.zeros(8, width), batch_of(8))
        return objective.terms["entropy"]

    assert_allclose(entropy(n_bits), entropy(64), rtol=1e-5)


@pytest.mark.parametrize("n_bits", [8, 16])
def test_images_of_one_digit_share_a_code_and_digits_do_not_with_the_published_weight(digits, n_bits):
    X, y = digits
    training = {"epochs": 15, "batch_size": 256, "learning_rate": 3e-3}
    hasher = HashNetShannon(n_bits, training=training, random_state=0).fit(X, y)
    counts = distance_counts(hasher.encode(X), hasher.encode(X), (y, y), own_rows=np.arange(len(y)))
    assert average_precision(counts).mean() > 0.8


@pytest.mark.parametrize(
    ("sharpness", "step", "total", "scale"),
    [(0.0005, 199, 10, 1.0), (0.0005, 200, 10, math.sqrt(1.1)), (0.0005, 100_000, 10, math.sqrt(51)),
     (None, 0, 50, 1.0), (None, 50, 50, math.sqrt(51))],
)  # fmt: skip
def test_scale_rises_in_steps_or_over_the_run(sharpness, step, total, scale):
    objective = HashNetShannonObjective(HashNetShannonOptions(sharpness=sharpness), TaskShape(8, (1,), 8, None))
    assert_allclose(objective.scale(batch_of(2, step, total)), scale)
