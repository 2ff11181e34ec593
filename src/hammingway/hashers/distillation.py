"""Gradient descent on a linear code and a linear query map, so that codes rank rows as the vectors do.

Plain NumPy, on one BLAS thread: the same hasher comes out whatever the number of cores. The loss of a step, for
anchors a that ask and candidates c that are found,

    L = - mean_a sum_c t(a, c) log softmax_c( e^s q(a) · b(c) + r(c) ),

has the float scores q(a) = Q x_a + u, the codes b(c) = sign(W x_c + w), targets t and r(c), a correction for how
often c is drawn. Behind the sign the gradient is that of tanh ("straight through").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Adam", "Draw", "Maps", "loss_and_gradient", "rate_at"]

Floats = NDArray[np.float32]
_DECAY = (0.9, 0.999)
_EPSILON = 1e-8
_FIRST_RATE = 0.04  # of the highest rate


class Maps:
    """Encoder, query map and logarithm of the scale, as views of one float32 vector ``flat``.

    Parameters
    ----------
    weights : float32 (n_features, n_bits), where encoder and query map both start; without offsets.
    log_scale : float, where the logarithm s of the scale starts.

    Attributes
    ----------
    weights, query_weights : float32 (n_features, n_bits).
    offsets, query_offsets : float32 (n_bits,).
    log_scale : float32 (1,).
    """

    def __init__(self, weights: Floats, log_scale: float = 0.0) -> None:
        n_features, n_bits = weights.shape
        self.flat = np.zeros(2 * (n_features + 1) * n_bits + 1, dtype=np.float32)
        halves = self.flat[:-1].reshape(2, n_features + 1, n_bits)
        self.weights, self.query_weights = halves[:, :-1]
        self.offsets, self.query_offsets = halves[:, -1]
        self.log_scale = self.flat[-1:]
        halves[:, :-1] = weights
        self.log_scale[:] = log_scale

    @property
    def scale(self) -> np.float32:
        """e^s, by which scores of queries become logits."""
        scale: np.float32 = np.exp(self.log_scale[0])
        return scale

    def encode(self, x: Floats) -> Floats:
        """Return the codes of x as float32 (n, n_bits) of -1 and 1."""
        return np.where(x @ self.weights + self.offsets > 0, np.float32(1), np.float32(-1))

    def ask(self, x: Floats) -> Floats:
        """Return the scores of x as queries, float32 (n, n_bits)."""
        scores: Floats = x @ self.query_weights + self.query_offsets
        return scores


class Draw(NamedTuple):
    """What a step looks at.

    Parameters
    ----------
    anchors : float32 (n_anchors, n_features).
    candidates : float32 (n_candidates, n_features).
    targets : float32 (n_anchors, n_candidates), not negative; each row sums to one, or is zero and does not count.
    corrections : float32 (n_candidates,), r.
    own : int64 (2, m), places (anchor, candidate) of pairs that do not count: an anchor and itself.
    """

    anchors: Floats
    candidates: Floats
    targets: Floats
    corrections: Floats
    own: NDArray[np.int64]


def loss_and_gradient(maps: Maps, draw: Draw) -> tuple[float, Floats]:
    """Return the loss and its gradient, laid out as ``maps.flat``."""
    hidden = np.tanh(draw.candidates @ maps.weights + maps.offsets)
    codes = np.where(hidden > 0, np.float32(1), np.float32(-1))
    scores = maps.ask(draw.anchors)
    agreement = scores @ codes.T
    logits = maps.scale * agreement + draw.corrections
    logits[draw.own[0], draw.own[1]] = -np.inf
    loss, error = _cross_entropy(logits, draw.targets)
    gradient = np.empty_like(maps.flat)
    halves = gradient[:-1].reshape(2, -1, codes.shape[1])
    gradient[-1] = maps.scale * np.vdot(error, agreement)
    error *= maps.scale
    for half, x, outer in (
        (halves[0], draw.candidates, error.T @ scores * (1 - hidden * hidden)),
        (halves[1], draw.anchors, error @ codes),
    ):
        np.matmul(x.T, outer, out=half[:-1])
        half[-1] = outer.sum(axis=0)
    return loss, gradient


def _cross_entropy(logits: Floats, targets: Floats) -> tuple[float, Floats]:
    """Return the mean over anchors with a target, and its gradient by the logits, which are overwritten."""
    counts = targets.max(axis=1, initial=0) > 0
    logits -= logits.max(axis=1, keepdims=True)
    at_targets = np.vdot(targets, np.maximum(logits, np.float32(-1e30)))
    np.exp(logits, out=logits)
    totals = logits.sum(axis=1, keepdims=True)
    n_counted = max(int(counts.sum()), 1)
    loss = (float(np.log(totals[counts]).sum()) - float(at_targets)) / n_counted
    logits /= totals
    logits -= targets
    logits *= counts[:, None] / np.float32(n_counted)
    return loss, logits


@dataclass
class Adam:
    """D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Parameters
    ----------
    values : float32 (m,), changed in place by each step.
    """

    values: Floats

    def __post_init__(self) -> None:
        self._mean, self._square = np.zeros_like(self.values), np.zeros_like(self.values)
        self._n_steps = 0

    def step(self, gradient: Floats, rate: float) -> None:
        """Go one step against ``gradient``, float32 (m,)."""
        self._n_steps += 1
        for average, value, decay in ((self._mean, gradient, _DECAY[0]), (self._square, gradient**2, _DECAY[1])):
            average *= np.float32(decay)
            average += np.float32(1 - decay) * value
        unbiased = [1 - decay**self._n_steps for decay in _DECAY]
        root = np.sqrt(self._square / np.float32(unbiased[1])) + np.float32(_EPSILON)
        self.values -= np.float32(rate / unbiased[0]) * self._mean / root


def rate_at(step: int, n_steps: int, warm_share: float) -> float:
    """Return the learning rate as a share of the highest: up along a half cosine, then down to zero along one."""
    warm = warm_share * n_steps
    if step < warm:
        return _FIRST_RATE + (1 - _FIRST_RATE) * (0.5 - 0.5 * math.cos(math.pi * step / warm))
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (n_steps - warm))
