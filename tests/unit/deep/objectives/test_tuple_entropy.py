import math
from itertools import combinations, product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.objectives.bit_tuples import covering_tuples
from hammingway.deep.objectives.tuple_entropy import bit_features, tuple_entropies, tuple_entropy


def scores_of(n, n_bits, seed=0, scale=2.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_bits)) * scale)


def cells_by_loops(chances, bits):
    """Return the chance of each cell of a tuple of bits, the mean over rows of the product of its bits' chances."""
    cells = {}
    for cell in product((0, 1), repeat=len(bits)):
        cells[cell] = np.mean(
            [math.prod(p[i] if t else 1 - p[i] for i, t in zip(bits, cell, strict=True)) for p in chances]
        )
    return cells


def entropy_by_loops(chances, bits):
    return -sum(p * math.log(p) for p in cells_by_loops(chances, bits).values() if p > 0)


def tuples_and_list(n_bits, size, listed):
    every = list(combinations(range(n_bits), size))
    return (torch.tensor(every) if listed else None), every


@pytest.mark.parametrize(
    ("size", "listed"), [(1, True), (2, False), (2, True), (3, False), (3, True), (4, True), (5, True)]
)
@pytest.mark.parametrize("n", [1, 2, 9])
def test_entropies_equal_the_definition_cell_by_cell(size, listed, n):
    scores = scores_of(n, 6)
    tuples, every = tuples_and_list(6, size, listed)
    chances = torch.sigmoid(scores).numpy()
    expected = [entropy_by_loops(chances, bits) for bits in every]
    assert_allclose(tuple_entropies(bit_features(scores), tuples, size=size), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("n_bits", [7, 8, 9, 63, 64, 65])
def test_products_of_matrices_give_what_the_list_gives(size, n_bits):
    features = bit_features(scores_of(10, n_bits))
    every = torch.tensor(list(combinations(range(n_bits), size)))
    assert_allclose(tuple_entropies(features, None, size=size), tuple_entropies(features, every, size=size), rtol=1e-9)


def test_entropies_of_hard_codes_are_those_of_their_counts():
    codes = scores_of(20, 6) > 0
    features = torch.stack([~codes, codes], dim=2).double()
    expected = [entropy_by_loops(codes.numpy().astype(float), bits) for bits in combinations(range(6), 3)]
    assert_allclose(tuple_entropies(features, None, size=3), expected, rtol=1e-9, atol=1e-12)


CASES = [(1, True), (2, False), (3, False), (3, True), (4, True)]


@pytest.mark.parametrize(("size", "listed"), CASES)
def test_normal_gradient_is_the_derivative_of_the_entropy(size, listed):
    scores = scores_of(7, 5).requires_grad_()
    tuples, _ = tuples_and_list(5, size, listed)
    assert torch.autograd.gradcheck(lambda z: tuple_entropy(z, tuples, size=size), (scores,), eps=1e-6, atol=1e-8)
    expected = torch.autograd.grad(tuple_entropies(bit_features(scores), tuples, size=size).sum(), scores)[0]
    tuple_entropy(scores, tuples, size=size).backward()
    assert_allclose(scores.grad, expected, rtol=1e-6, atol=1e-12)


def gradient_by_loops(scores, every, *, gradient, prior):
    """Return the closed form of the module's docstring with nested loops."""
    chances = 1 / (1 + np.exp(-scores))
    bits = (scores > 0).astype(float)
    source = chances if gradient == "normal" else bits
    outer = bits if gradient == "straight-through" else chances
    slope, n = np.zeros_like(scores), len(scores)
    for one in every:
        cells = cells_by_loops(source, one)
        if gradient != "normal":
            cells = {cell: count * n + prior for cell, count in cells.items()}
        for place, i in enumerate(one):
            for rest in product((0, 1), repeat=len(one) - 1):
                with_one, with_zero = ((*rest[:place], t, *rest[place:]) for t in (1, 0))
                ratio = math.log(cells[with_one]) - math.log(cells[with_zero])
                others = [j for j in one if j != i]
                for row in range(n):
                    q = math.prod(outer[row, j] if t else 1 - outer[row, j] for j, t in zip(others, rest, strict=True))
                    slope[row, i] -= chances[row, i] * (1 - chances[row, i]) / n * q * ratio
    return slope


@pytest.mark.parametrize("gradient", ["normal", "pseudo-smooth", "straight-through"])
@pytest.mark.parametrize(("size", "listed"), CASES)
def test_every_gradient_equals_its_closed_form(gradient, size, listed):
    scores = scores_of(6, 5).requires_grad_()
    tuples, every = tuples_and_list(5, size, listed)
    entropy = tuple_entropy(scores, tuples, size=size, gradient=gradient, prior=0.7)
    (3 * entropy).backward()
    expected = 3 * gradient_by_loops(scores.detach().numpy(), every, gradient=gradient, prior=0.7)
    assert_allclose(scores.grad, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("gradient", ["pseudo-smooth", "straight-through"])
def test_value_of_the_hard_gradients_is_the_entropy_of_the_codes(gradient):
    scores = scores_of(12, 6)
    codes = (scores > 0).numpy().astype(float)
    expected = sum(entropy_by_loops(codes, bits) for bits in combinations(range(6), 2))
    assert_allclose(tuple_entropy(scores, None, size=2, gradient=gradient), expected, rtol=1e-9)


@pytest.mark.parametrize("gradient", ["normal", "pseudo-smooth", "straight-through"])
def test_saturated_and_equal_scores_give_a_finite_gradient(gradient):
    scores = torch.full((4, 5), 200.0, requires_grad=True)
    tuple_entropy(scores, None, size=3, gradient=gradient).backward()
    assert torch.isfinite(scores.grad).all()


def test_chunks_change_nothing(monkeypatch):
    scores, tuples = scores_of(9, 8).requires_grad_(), covering_tuples(8, size=4, cover=3, minimum=0, seed=0)
    whole = tuple_entropy(scores, tuples, size=4)
    (slope,) = torch.autograd.grad(whole, scores)
    monkeypatch.setattr("hammingway.deep.objectives.tuple_entropy._CHUNK_VALUES", 100)
    parts = tuple_entropy(scores, tuples, size=4)
    assert_allclose(parts.item(), whole.item(), rtol=1e-12)
    assert_allclose(torch.autograd.grad(parts, scores)[0], slope, rtol=1e-9)


def test_independent_fair_bits_have_the_most_entropy():
    codes = torch.tensor(list(product((-50.0, 50.0), repeat=4)))
    assert_allclose(tuple_entropies(bit_features(codes), None, size=3), 3 * math.log(2), rtol=1e-6)
