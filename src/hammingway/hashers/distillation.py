"""Gradient descent on a linear code and a linear query map, so that codes rank rows as the vectors do.

Plain NumPy: the same hasher comes out whatever the number of threads. The loss of a step, for anchors a that ask and
candidates c that are found,

    L = - mean_a sum_c t(a, c) log softmax_c( e^s q(a) · b(c) + r(c) )
        - v mean_a sum_c u(a, c) log softmax_c( e^p b(a) · b(c) ),

has the float scores q(a) = Q x_a + o, the codes b(c) = sign(W x_c + w), targets t and r(c), a correction for how
often c is drawn. The second part, of weight v, has codes on both sides and other targets u, and runs over some of the
candidates. Behind the sign the gradient is that of tanh ("straight through").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hammingway.hashers.products import in_parts, product
from hammingway.hashers.threads import Crew

__all__ = ["Adam", "Broad", "Draw", "Maps", "loss_and_gradient", "rate_at"]

Floats = NDArray[np.float32]
_DECAY = (0.9, 0.999)
_EPSILON = 1e-8
_FIRST_RATE = 0.04  # of the highest rate
_NEVER = np.float32(-1e30)  # the logit of what must not be chosen


class Maps:
    """Encoder, query map and logarithms of the two scales, as views of one float32 vector ``flat``.

    Parameters
    ----------
    weights : float32 (n_features, n_bits), where encoder and query map both start; without offsets.
    log_scale : float, where the logarithms s and p of both scales start.

    Attributes
    ----------
    weights, query_weights : float32 (n_features, n_bits).
    offsets, query_offsets : float32 (n_bits,).
    log_scales : float32 (2,), s and p.
    """

    def __init__(self, weights: Floats, log_scale: float = 0.0) -> None:
        n_features, n_bits = weights.shape
        self.flat = np.zeros(2 * (n_features + 1) * n_bits + 2, dtype=np.float32)
        halves = self.flat[:-2].reshape(2, n_features + 1, n_bits)
        self.weights, self.query_weights = halves[:, :-1]
        self.offsets, self.query_offsets = halves[:, -1]
        self.log_scales = self.flat[-2:]
        halves[:, :-1] = weights
        self.log_scales[:] = log_scale

    @property
    def scales(self) -> Floats:
        """e^s, by which scores of queries become logits, and e^p, by which sums of codes do."""
        scales: Floats = np.exp(self.log_scales)
        return scales

    def encode(self, x: Floats) -> Floats:
        """Return the codes of x as float32 (n, n_bits) of -1 and 1."""
        return _signs(x @ self.weights + self.offsets)

    def ask(self, x: Floats) -> Floats:
        """Return the scores of x as queries, float32 (n, n_bits)."""
        scores: Floats = x @ self.query_weights + self.query_offsets
        return scores


class Broad(NamedTuple):
    """The second part of a draw.

    Parameters
    ----------
    places : int64 (m,), of its candidates among those of the draw.
    targets : float32 (n_anchors, m), u; as those of the draw.
    own : int64 (2, k), places (anchor, one of m) of pairs that do not count.
    weight : v, > 0.
    """

    places: NDArray[np.int64]
    targets: Floats
    own: NDArray[np.int64]
    weight: np.float32


class Draw(NamedTuple):
    """What a step looks at.

    Parameters
    ----------
    anchors : float32 (n_anchors, n_features).
    candidates : float32 (n_candidates, n_features).
    targets : float32 (n_anchors, n_candidates), not negative; each row sums to one, or is zero and does not count.
    corrections : float32 (n_candidates,), r.
    own : int64 (2, m), places (anchor, candidate) of pairs that do not count: an anchor and itself.
    broad : the second part; None for none.
    """

    anchors: Floats
    candidates: Floats
    targets: Floats
    corrections: Floats
    own: NDArray[np.int64]
    broad: Broad | None = None


def loss_and_gradient(maps: Maps, draw: Draw, crew: Crew) -> tuple[float, Floats]:
    """Return the loss and its gradient, laid out as ``maps.flat``; the crew shares the work."""
    codes, slopes = _codes_and_slopes(maps, draw.candidates, crew)
    scale, broad_scale = maps.scales
    scores = maps.ask(draw.anchors)
    loss, by_scores, by_codes, by_scale = _one_part(
        scores, codes, scale, draw.targets, draw.own, crew, corrections=draw.corrections
    )
    gradient = np.zeros_like(maps.flat)
    encoder, query_map = gradient[:-2].reshape(2, -1, codes.shape[1])
    gradient[-2] = by_scale
    if draw.broad is not None:
        places, targets, own, weight = draw.broad
        own_codes, own_slopes = _codes_and_slopes(maps, draw.anchors, crew)
        more, by_own, by_others, by_scale = _one_part(own_codes, codes[places], broad_scale, targets, own, crew)
        loss += float(weight) * more
        gradient[-1] = weight * by_scale
        by_codes[places] += weight * by_others
        _add(encoder, draw.anchors, weight * by_own * own_slopes, crew)
    _add(encoder, draw.candidates, by_codes * slopes, crew)
    _add(query_map, draw.anchors, by_scores, crew)
    return loss, gradient


def _signs(scores: Floats) -> Floats:
    signs: Floats = (scores > 0) * np.float32(2) - np.float32(1)  # a tenth of the time of np.where
    return signs


def _codes_and_slopes(maps: Maps, x: Floats, crew: Crew) -> tuple[Floats, Floats]:
    """Return the codes of x, -1 and 1, and how steep tanh is there."""
    hidden = np.tanh(product(x, maps.weights, crew) + maps.offsets)
    return _signs(hidden), 1 - hidden * hidden


def _one_part(
    scores: Floats,
    codes: Floats,
    scale: np.float32,
    targets: Floats,
    own: NDArray[np.int64],
    crew: Crew,
    *,
    corrections: Floats | None = None,
) -> tuple[float, Floats, Floats, np.float32]:
    """Return one part of the loss, and its gradients by ``scores``, by ``codes`` and by the logarithm of the scale."""
    logits = product(scores * scale, codes.T, crew)
    if corrections is not None:
        logits += corrections
    logits[own[0], own[1]] = _NEVER
    loss, error, shares = _cross_entropy(logits, targets, crew)
    shares *= scale  # on the small side of the products, where it costs little
    by_scores = product(error, codes, crew) * shares
    return loss, by_scores, product(error.T, scores * shares, crew), np.vdot(by_scores, scores)


def _add(half: Floats, x: Floats, outer: Floats, crew: Crew) -> None:
    """Add to the gradient of a map what ``outer``, the gradient by the map's values for x, says of it."""
    half[:-1] += product(x.T, outer, crew)
    half[-1] += outer.sum(axis=0)


def _cross_entropy(logits: Floats, targets: Floats, crew: Crew) -> tuple[float, Floats, Floats]:
    """Return the mean over anchors with a target, each one's gradient by the logits, and its share in the mean.

    The gradient (n_anchors, n_candidates) takes the place of the logits; the shares are (n_anchors, 1).
    """
    counts = np.empty(len(logits), dtype=np.bool_)
    losses = np.empty(len(logits), dtype=np.float32)

    def part(anchors: slice) -> None:
        inside, wanted = logits[anchors], targets[anchors]
        counts[anchors] = wanted.max(axis=1, initial=0) > 0
        inside -= inside.max(axis=1, keepdims=True)
        at_targets = np.einsum("ac,ac->a", inside, wanted)
        np.exp(inside, out=inside)
        totals = inside.sum(axis=1, keepdims=True)
        losses[anchors] = np.log(totals[:, 0]) - at_targets
        inside /= totals
        inside -= wanted

    in_parts(part, len(logits), crew)
    n_counted = max(int(counts.sum()), 1)
    shares = counts[:, None].astype(np.float32) / np.float32(n_counted)
    return float(losses[counts].sum()) / n_counted, logits, shares


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
