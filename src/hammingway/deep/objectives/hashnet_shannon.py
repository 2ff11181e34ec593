"""HashNetShannon: HashNet's likelihood of similar pairs, with entropy in the place of dissimilar ones."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import Objective, Sampling, TaskShape
from hammingway.deep.objectives.shannon_hamming import EntropyOptions, EntropyTerm, check_pairs, huber_penalty

__all__ = ["HashNetShannonObjective", "HashNetShannonOptions", "positive_pair_loss"]

_PUBLISHED_STEPS, _PUBLISHED_SHARPNESS, _STEPS_AT_ONE_SCALE = 100_000, 0.0005, 200


def positive_pair_loss(codes: Tensor, *, alpha: float) -> Tensor:
    """Return the mean over pairs of ``softplus(-alpha <h, h'>)``: minus the log-likelihood that they are similar.

    Parameters
    ----------
    codes : float (n, n_bits) in (-1, 1), n even; places 2i and 2i + 1 hold a pair.
    alpha : steepness, > 0.
    """
    return functional.softplus(-alpha * (codes[0::2] * codes[1::2]).sum(dim=1)).mean()


class HashNetShannonOptions(EntropyOptions, frozen=True):
    """Options of :class:`HashNetShannonObjective`: those of the entropy, and two more.

    Parameters
    ----------
    alpha : steepness of the pairs' logistic function, > 0; None for 3.2 / n_bits, the published 0.05 at 64 bits.
    sharpness : the scale of tanh is sqrt(1 + sharpness * step), held for 200 steps at a time; None for one that rises
        to the published final scale over the steps of this run, whatever their number.
    """

    entropy: Annotated[float, Meta(ge=0)] = 1e-4
    alpha: Annotated[float, Meta(gt=0)] | None = None
    sharpness: Annotated[float, Meta(ge=0)] | None = None


class HashNetShannonObjective(Objective):
    """HashNetShannon: similar pairs have a large inner product of tanh codes, and tuples of bits a large entropy.

    The loss is ``mean softplus(-α <h, h'>) - λ_S Σ_T H_T + mean Σ_i huber(z_i)``, ``h = tanh(β z)`` with β growing.

    References
    ----------
    M. Duchesneau's equihash, its HashNetShannon for MNIST: α 0.05, λ_S 1e-4, β from 1 to sqrt(51) over 100,000 steps.
    Deviates: as :class:`~hammingway.deep.objectives.shannon_hamming.ShannonHammingObjective`; α follows the number of
    bits and β the length of the run unless they are given. As α times the number of bits is fixed, the first term does
    not grow with the bits, and λ_S follows them so that the second does not either.
    """

    registry_name = "hashnet-shannon"
    Options: ClassVar[type[Config]] = HashNetShannonOptions
    options: HashNetShannonOptions
    sampling: ClassVar[Sampling] = "pairs"

    def __init__(self, options: HashNetShannonOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.entropy = EntropyTerm(options, shape.n_bits, per_bit=False)

    def scale(self, batch: Batch) -> float:
        """Return β at this step, >= 1."""
        if self.options.sharpness is None:
            return math.sqrt(1 + _PUBLISHED_SHARPNESS * _PUBLISHED_STEPS * batch.step / batch.total_steps)
        return math.sqrt(1 + self.options.sharpness * (batch.step // _STEPS_AT_ONE_SCALE * _STEPS_AT_ONE_SCALE))

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'pairs', 'entropy' and 'penalty'."""
        check_pairs(self, scores)
        alpha = 3.2 / self.shape.n_bits if self.options.alpha is None else self.options.alpha
        terms = {
            "pairs": positive_pair_loss(torch.tanh(self.scale(batch) * scores), alpha=alpha),
            "entropy": self.entropy(scores),
            "penalty": huber_penalty(scores, slope=self.options.penalty),
        }
        self.terms = {name: term.detach() for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum()
