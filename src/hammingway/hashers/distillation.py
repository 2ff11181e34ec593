"""Gradient descent on a linear code and a linear query map, so that codes rank rows as the vectors do.

Plain NumPy: the same hasher comes out whatever the number of threads. The loss of a step, for anchors a that ask and
candidates c that are found,

    L = - mean_a sum_c t(a, c) log softmax_c( e^s q(a) · b(c) + r(c) )
        - v mean_a sum_c u(a, c) log softmax_c( e^p b(a) · b(c) ),

has the float scores q(a) = Q x_a + o, the codes b(c) = sign(W x_c + w), targets t and r(c), a correction for how
often c is drawn. The second part, of weight v, has codes on both sides and other targets u, and runs over some of the
candidates. Behind the sign the gradient is that of tanh ("straight through"). Where the first bits are to be a code by
themselves, L is the mean over all widths of what this gives for as many first bits, each width with its own s and p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
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
    """Encoder, query map and logarithms of the scales, as views of one float32 vector ``flat``.

    Parameters
    ----------
    weights : float32 (n_features, n_bits), where encoder and query map both start; without offsets.
    log_scale : float, where the logarithms of all scales start.
    widths : how many first bits are to be a code by themselves, rising; the last is n_bits, and alone by default.

    Attributes
    ----------
    weights, query_weights : float32 (n_features, n_bits).
    offsets, query_offsets : float32 (n_bits,).
    log_scales : float32 (2, n_widths), s and p of each width.
    """

    def __init__(self, weights: Floats, log_scale: float = 0.0, *, widths: Sequence[int] | None = None) -> None:
        self.widths = weights.shape[1:] if widths is None else tuple(widths)
        self.flat = np.zeros(2 * (len(weights) + 1) * weights.shape[1] + 2 * len(self.widths), dtype=np.float32)
        (encoder, query_map), self.log_scales = self.parts(self.flat)
        self.weights, self.offsets = encoder[:-1], encoder[-1]
        self.query_weights, self.query_offsets = query_map[:-1], query_map[-1]
        self.weights[:] = self.query_weights[:] = weights
        self.log_scales[:] = log_scale

    def parts(self, flat: Floats) -> tuple[Floats, Floats]:
        """Return views of a vector laid out as ``flat``: both maps, (2, n_features + 1, n_bits), and the scales."""
        n_scales = 2 * len(self.widths)
        return flat[:-n_scales].reshape(2, -1, self.widths[-1]), flat[-n_scales:].reshape(2, -1)

    @property
    def scales(self) -> Floats:
        """e^s, by which scores of queries become logits, and e^p, by which sums of codes do, (2, n_widths)."""
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
    near = _Part(maps.scales[0], maps.widths, draw.targets, draw.own, draw.corrections)
    gradient = np.zeros_like(maps.flat)
    (encoder, query_map), by_scales = maps.parts(gradient)
    loss, by_scores, by_codes, by_scales[0] = near.loss_and_gradients(maps.ask(draw.anchors), codes, crew)
    if draw.broad is not None:
        places, targets, own, weight = draw.broad
        own_codes, own_slopes = _codes_and_slopes(maps, draw.anchors, crew)
        broad = _Part(maps.scales[1], maps.widths, targets, own)
        more, by_own, by_others, by_scale = broad.loss_and_gradients(own_codes, codes[places], crew)
        loss += float(weight) * more
        by_scales[1] = weight * by_scale
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


def _add(half: Floats, x: Floats, outer: Floats, crew: Crew) -> None:
    """Add to the gradient of a map what ``outer``, the gradient by the map's values for x, says of it."""
    half[:-1] += product(x.T, outer, crew)
    half[-1] += outer.sum(axis=0)


class _Part(NamedTuple):
    """One part of the loss: the mean over widths of the cross-entropy that so many first bits have.

    Parameters
    ----------
    scales : float32 (n_widths,), by which agreements become logits.
    widths, targets, own, corrections : as of Maps and of Draw.
    """

    scales: Floats
    widths: Sequence[int]
    targets: Floats
    own: NDArray[np.int64]
    corrections: Floats | float = 0.0

    def loss_and_gradients(self, scores: Floats, codes: Floats, crew: Crew) -> tuple[float, Floats, Floats, Floats]:
        """Return the loss, and its gradients by ``scores``, by ``codes`` and by the logarithms of the scales."""
        blocks = [slice(*ends) for ends in pairwise((0, *self.widths))]
        agreements = accumulate((product(scores[:, block], codes[:, block].T, crew) for block in blocks), np.add)
        losses, errors, by_scales = zip(
            *(
                self._cross_entropy(agreement, scale, crew)
                for agreement, scale in zip(agreements, self.scales, strict=True)
            ),
            strict=True,
        )
        by_scores, by_codes = np.empty_like(scores), np.empty_like(codes)
        # A bit is in the width that its block ends and in all greater ones.
        for block, error in zip(reversed(blocks), accumulate(reversed(errors), np.add), strict=True):
            by_scores[:, block] = product(error, codes[:, block], crew)
            by_codes[:, block] = product(error.T, scores[:, block], crew)
        return sum(losses), by_scores, by_codes, np.array(by_scales)

    def _cross_entropy(self, agreement: Floats, scale: np.float32, crew: Crew) -> tuple[float, Floats, np.float32]:
        """Return a width's share of the loss, and its gradients by ``agreement`` and by the logarithm of the scale."""
        counts = self.targets.max(axis=1, initial=0) > 0
        shares = counts / np.float32(max(int(counts.sum()), 1) * len(self.widths))
        losses, by_scale = np.empty((2, len(agreement)), dtype=np.float32)
        error = np.empty_like(agreement)

        def some(anchors: slice) -> None:
            targets = self.targets[anchors]
            logits = np.multiply(agreement[anchors], scale, out=error[anchors])
            logits += self.corrections
            owners = self.own[0] - anchors.start
            inside = (owners >= 0) & (owners < len(logits))
            logits[owners[inside], self.own[1, inside]] = _NEVER
            logits -= logits.max(axis=1, keepdims=True)
            at_targets = np.einsum("ac,ac->a", logits, targets)
            np.exp(logits, out=logits)
            totals = logits.sum(axis=1, keepdims=True)
            losses[anchors] = np.log(totals[:, 0]) - at_targets
            logits /= totals
            logits -= targets
            logits *= (shares[anchors] * scale)[:, None]
            by_scale[anchors] = np.einsum("ac,ac->a", logits, agreement[anchors])

        in_parts(some, len(agreement), crew)
        return float(losses[counts] @ shares[counts]), error, by_scale.sum()


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
