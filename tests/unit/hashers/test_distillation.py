import numpy as np
import pytest
from numpy.testing import assert_allclose

from hammingway.hashers.distillation import Adam, Broad, Draw, Maps, loss_and_gradient, rate_at
from hammingway.hashers.threads import crew


@pytest.fixture(params=[(4,), (1, 3, 4)], ids=["whole", "prefixes"])
def maps(request):
    rng = np.random.default_rng(0)
    maps = Maps(rng.normal(size=(5, 4)).astype(np.float32), log_scale=-0.3, widths=request.param)
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


@pytest.fixture
def broad():
    targets = np.array([[0.2, 0.8], [0, 0], [0.5, 0.5]], dtype=np.float32)  # anchor 1 has no target
    targets[0] = [1, 0]  # anchor 0 is candidate 2, the second of these
    return Broad(np.array([5, 2]), targets, np.array([[0], [1]]), np.float32(0.7))


@pytest.fixture
def threads():
    with crew() as threads:
        yield threads


def plain_cross_entropy(agreement, targets, own, corrections):
    """Return the mean over anchors of one part of the module's formula, by loops, in float64."""
    own = {tuple(pair) for pair in own.T}
    losses = []
    for a in np.flatnonzero(targets.any(axis=1)):
        logits = {c: agreement[a, c] + corrections[c] for c in range(targets.shape[1]) if (a, c) not in own}
        total = np.log(sum(np.exp(value) for value in logits.values()))
        losses.append(-sum(targets[a, c] * (value - total) for c, value in logits.items()))
    return np.mean(losses)


def plain_loss(maps, draw, flat):
    """Return the loss of the module's formula at ``flat``, with codes as :func:`codes_of` has them."""
    half, scales = flat[24:48].reshape(6, 4), np.exp(flat[48:]).reshape(2, -1)
    asking = draw.anchors.astype(np.float64) @ half[:-1] + half[-1]
    own_codes, codes = codes_of(maps, draw.anchors, flat), codes_of(maps, draw.candidates, flat)
    losses = []
    for width, near_scale, broad_scale in zip(maps.widths, *scales, strict=True):
        agreement = near_scale * asking[:, :width] @ codes[:, :width].T
        losses.append(plain_cross_entropy(agreement, draw.targets, draw.own, draw.corrections))
        if draw.broad is not None:
            agreement = broad_scale * own_codes[:, :width] @ codes[draw.broad.places, :width].T
            losses[-1] += 0.7 * plain_cross_entropy(agreement, draw.broad.targets, draw.broad.own, np.zeros(2))
    return np.mean(losses)


def codes_of(maps, x, flat):
    """Return sign(z) at the maps' own place plus what tanh(z) gains on the way to ``flat``: what the gradient is of."""
    half = flat[:24].reshape(6, 4)
    here = x.astype(np.float64) @ maps.weights + maps.offsets
    there = x.astype(np.float64) @ half[:-1] + half[-1]
    return np.where(here > 0, 1, -1) + np.tanh(there) - np.tanh(here)


@pytest.mark.parametrize("with_broad", [False, True])
def test_loss_is_the_formula(maps, draw, broad, with_broad, threads):
    draw = draw._replace(broad=broad if with_broad else None)
    expected = plain_loss(maps, draw, maps.flat.astype(np.float64))
    assert loss_and_gradient(maps, draw, threads)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("with_broad", [False, True])
def test_gradient_is_that_of_the_formula_with_tanh_behind_the_sign(maps, draw, broad, with_broad, threads):
    draw = draw._replace(broad=broad if with_broad else None)
    flat = maps.flat.astype(np.float64)
    expected = np.empty_like(flat)
    for i in range(len(flat)):
        step = np.zeros_like(flat)
        step[i] = 1e-5
        expected[i] = (plain_loss(maps, draw, flat + step) - plain_loss(maps, draw, flat - step)) / 2e-5
    assert (expected[-1] != 0) == with_broad
    assert_allclose(loss_and_gradient(maps, draw, threads)[1], expected, atol=2e-5)


def test_huge_scores_give_a_finite_gradient(maps, draw, broad, threads):
    draw = draw._replace(broad=broad)
    maps.log_scales[:] = 30
    loss, gradient = loss_and_gradient(maps, draw, threads)
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
