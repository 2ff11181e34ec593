"""JMLH: a classifier of stochastic binary neurons, held near one bit of entropy each."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import Objective, TaskShape, needed_labels
from hammingway.deep.objectives.classification import classification_loss, needed_classes
from hammingway.deep.objectives.straight_through import straight_through_sign

__all__ = ["JMLHObjective", "JMLHOptions", "bernoulli_divergence", "binary_neurons"]


def binary_neurons(scores: Tensor, uniform: Tensor | float) -> Tensor:
    """Return bits 0.0 and 1.0, set where sigmoid(score) >= ``uniform``, with the gradient of the sigmoid.

    Parameters
    ----------
    scores : float (n, n_bits).
    uniform : float (n, n_bits) drawn from [0, 1) for stochastic neurons, or 0.5 for deterministic ones.

    Examples
    --------
    >>> binary_neurons(torch.tensor([[-1.0, 2.0]]), 0.5)
    tensor([[0., 1.]])
    """
    chances = torch.sigmoid(scores)
    # Added to a zero rather than to bits less chances: a float32 sum would round bits off 0 and 1.
    return (chances >= uniform).to(scores.dtype) + (chances - chances.detach())


def bernoulli_divergence(scores: Tensor) -> Tensor:
    """Return the mean over examples of the divergence, summed over bits, of Bernoulli(sigmoid(score)) from a fair coin.

    In nats, in [0, n_bits ln 2]; ``scores`` is float (n, n_bits).
    """
    chances = torch.sigmoid(scores)
    terms = chances * functional.logsigmoid(scores) + (1 - chances) * functional.logsigmoid(-scores) + math.log(2)
    return terms.sum(dim=1).mean()


class JMLHOptions(Config, frozen=True):
    """Options of :class:`JMLHObjective`.

    Parameters
    ----------
    divergence : weight of the KL divergence of each bit from a fair coin, >= 0.
    neurons : 'stochastic' bits are drawn by their chances while training, 'deterministic' ones are the likelier; both
        are 0 or 1 to the classifier, with the gradient of the chance. 'sign' gives it -1 or 1, with that of the score.
    bias : give the classifier a bias.
    """

    divergence: Annotated[float, Meta(ge=0)] = 0.1
    neurons: Literal["stochastic", "deterministic", "sign"] = "stochastic"
    bias: bool = True


class JMLHObjective(Objective):
    """JMLH: the cross-entropy of a linear classifier on the bits, and their divergence from fair coins.

    Bits are drawn with chance sigmoid(score), the gradient passing as if they were that chance. The classifier is part
    of the objective's state: a checkpoint holds it (in one published system resuming began with a fresh one).

    References
    ----------
    Y. Shen, J. Qin, J. Chen, L. Liu, F. Zhu, Z. Shen, "Embarrassingly simple binary representation learning", ICCV
    Workshops 2019. The weight 0.1 is that of two published re-implementations; the authors' own
    later code has 0.2. Deviates: examples of several labels take a binary cross-entropy a label.
    """

    registry_name = "jmlh"
    Options: ClassVar[type[Config]] = JMLHOptions
    options: JMLHOptions
    needs_labels = True

    def __init__(self, options: JMLHOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.classifier = nn.Linear(shape.n_bits, needed_classes(self.registry_name, shape), bias=options.bias)

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'classification' and 'divergence'."""
        labels = needed_labels(self, batch)
        classification = classification_loss(self.classifier(self._bits(scores)), labels)
        divergence = self.options.divergence * bernoulli_divergence(scores)
        self.terms = {"classification": classification.detach(), "divergence": divergence.detach()}
        return classification + divergence

    def _bits(self, scores: Tensor) -> Tensor:
        if self.options.neurons == "sign":
            return straight_through_sign(scores)
        stochastic = self.training and self.options.neurons == "stochastic"
        return binary_neurons(scores, torch.rand_like(scores) if stochastic else 0.5)
