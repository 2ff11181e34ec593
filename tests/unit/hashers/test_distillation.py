import numpy as np
import pytest
from numpy.testing import assert_allclose

from hammingway.hashers.distillation import Adam, Draw, Maps, loss_and_gradient, rate_at


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    maps = Maps(rng.normal(size=(5, 4)).astype(np.float32), log_scale=-0.3)
    maps.flat += rng.normal(size=maps.flat.shape).astype(np.float32) * 0.3
    return maps


@pytest.fixture
def draw():
    rng = np.random.default_rng(1)
    candidates = rng.normal(size=(7, 5)).astype(np.float32)
    targets = rng.random((3, 7)).astype(np.float32)
    targets[0, 2] = 0  # anchor 0 is candidate 2
    targets[1] = 0  # anchor 1 has no target
    targets /= np.maximum(targets.sum(axis=1, keepdims=True), 1e-9)
    corrections = rng.normal(size=7).astype(np.float32)
    return Draw(candidates[[2, 4, 0]], candidates, targets, corrections, np.array([[0], [2]]))


def plain_loss(draw, query_weights, query_offsets, log_scale, codes):
    """Return the loss of the module's formula by loops, in float64."""
    losses = []
    for a, anchor in enumerate(draw.anchors.astype(np.float64)):
        if not draw.targets[a].any():
            continue
        score = [
            sum((sum(anchor[i] * query_weights[i, j] for i in range(5)) + query_offsets[j]) * code[j] for j in range(4))
            for code in codes
        ]
        own = {tuple(pair) for pair in draw.own.T}
        logits = {c: np.exp(log_scale) * score[c] + draw.corrections[c] for c in range(7) if (a, c) not in own}
        total = np.log(sum(np.exp(value) for value in logits.values()))
        losses.append(-sum(draw.targets[a, c] * (value - total) for c, value in logits.items()))
    return np.mean(losses)


def parts(flat):
    """Return query weights, query offsets and log scale of a flat vector; the encoder comes before them."""
    half = flat[24:48].reshape(6, 4)
    return half[:-1], half[-1], flat[48]


def codes_of(maps, draw, flat):
    """Return sign(z) at the maps' own place plus what tanh(z) gains on the way to ``flat``: what the gradient is of."""
    half = flat[:24].reshape(6, 4)
    here = draw.candidates.astype(np.float64) @ maps.weights + maps.offsets
    there = draw.candidates.astype(np.float64) @ half[:-1] + half[-1]
    return np.where(here > 0, 1, -1) + np.tanh(there) - np.tanh(here)


def test_loss_is_the_formula(maps, draw):
    flat = maps.flat.astype(np.float64)
    expected = plain_loss(draw, *parts(flat), codes_of(maps, draw, flat))
    assert loss_and_gradient(maps, draw)[0] == pytest.approx(expected, rel=1e-5)


def test_gradient_is_that_of_the_formula_with_tanh_behind_the_sign(maps, draw):
    flat = maps.flat.astype(np.float64)
    expected = np.empty_like(flat)
    for i in range(len(flat)):
        step = np.zeros_like(flat)
        step[i] = 1e-5
        above, below = (
            plain_loss(draw, *parts(moved), codes_of(maps, draw, moved)) for moved in (flat + step, flat - step)
        )
        expected[i] = (above - below) / 2e-5
    assert_allclose(loss_and_gradient(maps, draw)[1], expected, atol=2e-5)


def test_huge_scores_give_a_finite_gradient(maps, draw):
    maps.log_scale[:] = 30
    loss, gradient = loss_and_gradient(maps, draw)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


def test_adam_follows_the_paper():
    rng = np.random.default_rng(0)
    values = rng.normal(size=6).astype(np.float32)
    expected, adam = values.astype(np.float64), Adam(values)
    mean = square = np.zeros(6)
    for t in range(1, 5):
        gradient = rng.normal(size=6).astype(np.float32)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient.astype(np.float64) ** 2
        expected -= 0.02 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
        adam.step(gradient, 0.02)
    assert_allclose(values, expected, rtol=1e-4)


def test_rate_rises_then_falls_to_zero():
    rates = [rate_at(step, 100, 0.2) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[20] == pytest.approx(1)
    assert rates[100] == pytest.approx(0)
    assert (np.diff(rates[:21]) > 0).all()
    assert (np.diff(rates[20:]) < 0).all()
