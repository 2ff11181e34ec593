import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.shannon_hamming import (
    EntropyOptions,
    EntropyTerm,
    ShannonHammingObjective,
    ShannonHammingOptions,
    hamming_loss,
    huber_penalty,
)
from hammingway.deep.objectives.tuple_entropy import tuple_entropy
from hammingway.errors import InvalidInputError


def scores_of(n, n_bits, seed=0, scale=4.0):
    return torch.from_numpy((np.random.default_rng(seed).normal(size=(n, n_bits)) * scale).astype(np.float32))


def batch_of(n):
    return Batch(rows=torch.arange(n) // 2, x=torch.zeros(n, 1), labels=None)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 65])
def test_hamming_loss_is_the_log_chance_of_agreement_pair_by_pair(n_bits):
    scores = scores_of(6, n_bits)
    p = 1 / (1 + np.exp(-scores.double().numpy()))
    losses = [-sum(math.log(a * b + (1 - a) * (1 - b)) for a, b in zip(p[i], p[i + 1], strict=True)) for i in (0, 2, 4)]
    assert_allclose(hamming_loss(scores), np.mean(losses), rtol=1e-5)


def test_hamming_loss_of_sure_disagreement_is_finite():
    # p q + (1 - p)(1 - q) is 2 exp(-300), beyond float32
    assert_allclose(hamming_loss(torch.tensor([[300.0], [-300.0]])), 300.0 - math.log(2), rtol=1e-6)


def test_penalty_is_quadratic_within_nine_and_linear_beyond():
    def huber(x, m):
        return m / 18 * x * x if abs(x) < 9 else m * abs(x) - m * 9 / 2

    scores = scores_of(5, 8, scale=9.0)
    expected = np.mean([sum(huber(x, 0.3) for x in row) for row in scores.tolist()])
    assert_allclose(huber_penalty(scores, slope=0.3), expected, rtol=1e-5)
    assert (scores.abs() > 9).any() and (scores.abs() < 9).any()


@pytest.mark.parametrize("gradient", ["normal", "pseudo-smooth", "straight-through"])
def test_loss_is_the_sum_of_its_weighted_terms(gradient):
    options = ShannonHammingOptions(penalty=0.01, hamming=0.5, gradient=gradient)
    objective = ShannonHammingObjective(options, TaskShape(64, (1,), 8, None))
    scores = scores_of(8, 64)
    entropy = tuple_entropy(scores, None, size=3, gradient=gradient)
    expected = -0.03 * entropy + 0.5 * hamming_loss(scores) + huber_penalty(scores, slope=0.01)
    assert_allclose(objective(scores, batch_of(8)), expected, rtol=1e-5)
    assert set(objective.terms) == {"entropy", "hamming", "penalty"}


@pytest.mark.parametrize(("size", "cover"), [(2, 2), (3, 3), (4, 3), (4, 2)])
@pytest.mark.parametrize("n_bits", [8, 16, 48, 64])
def test_a_bit_is_in_tuples_of_the_same_total_weight_at_every_width(n_bits, size, cover):
    term = EntropyTerm(EntropyOptions(tuple_size=size, cover=cover), n_bits)
    n_tuples = math.comb(n_bits, size) if term.tuples is None else len(term.tuples)
    a_bit_at_64 = 0.03 * math.comb(64, cover) * size / 64
    assert_allclose(term.weight * n_tuples * size / n_bits, a_bit_at_64)


def test_shuffled_tuples_change_from_step_to_step_but_not_with_the_seed():
    term = EntropyTerm(EntropyOptions(tuple_size=4, cover=2, shuffle=True), 16)
    scores = scores_of(8, 16)
    torch.manual_seed(0)
    first, second = term(scores), term(scores)
    torch.manual_seed(0)
    assert first == term(scores) != second


@pytest.mark.parametrize("n_bits", [1, 2])
def test_codes_of_fewer_bits_than_a_tuple_are_one_tuple(n_bits):
    term = EntropyTerm(EntropyOptions(tuple_size=4, cover=3), n_bits)
    scores = scores_of(8, n_bits)
    every = torch.arange(n_bits)[None]
    assert_allclose(term(scores), -term.weight * tuple_entropy(scores, every, size=n_bits), rtol=1e-5)


def test_cover_is_no_larger_than_a_tuple_and_pairs_need_an_even_batch():
    with pytest.raises(InvalidInputError, match="got cover = 3"):
        ShannonHammingObjective(ShannonHammingOptions(tuple_size=2), TaskShape(8, (1,), 8, None))
    objective = ShannonHammingObjective(ShannonHammingOptions(), TaskShape(8, (1,), 8, None))
    with pytest.raises(InvalidInputError, match="needs pairs"):
        objective(torch.zeros(3, 8), batch_of(3))
