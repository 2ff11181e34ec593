"""CSQ, central similarity quantisation: every class has a Hadamard code for its examples to meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.objectives.base import Objective, TaskShape, needed_labels
from hammingway.deep.objectives.classification import needed_classes
from hammingway.deep.objectives.code_centres import centres_of_labels, code_centres

if TYPE_CHECKING:
    from hammingway.deep.batches import Batch, Rows

__all__ = ["CSQObjective", "CSQOptions", "central_similarity_loss"]


def central_similarity_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of bits of chance ``(tanh(score) + 1) / 2`` against their targets.

    Parameters
    ----------
    scores : float (n, n_bits).
    targets : float (n, n_bits) of -1 and 1.
    """
    # (tanh(z) + 1) / 2 is sigmoid(2 z); in this form no logarithm meets a rounded zero.
    return functional.binary_cross_entropy_with_logits(2 * scores, (targets + 1) / 2)


class CSQOptions(Config, frozen=True):
    """Options of :class:`CSQObjective`.

    Parameters
    ----------
    quantisation : weight of the mean squared distance of ``|tanh(score)|`` from 1, >= 0.
    """

    quantisation: Annotated[float, Meta(ge=0)] = 1e-4


class CSQObjective(Objective):
    """CSQ: bits agree with the code centre of their class, and are near ±1.

    References
    ----------
    L. Yuan, T. Wang, X. Zhang, F. E. H. Tay, Z. Jie, W. Liu, J. Feng, "Central similarity quantization for efficient
    image and video retrieval", CVPR 2020; 1e-4 is the weight in the authors' code. Deviates: where no
    Hadamard matrix fits (bits no power of two, or more classes than twice the bits) centres are chosen far apart
    instead of drawn until their mean distance suffices; ties between the centres of several labels go to one
    fixed random code, so that equal labels have equal targets; the quantisation term is the authors' code's
    square, where the paper has log cosh.
    """

    registry_name = "csq"
    Options: ClassVar[type[Config]] = CSQOptions
    options: CSQOptions
    needs_labels = True
    centres: Tensor
    tie_breaker: Tensor

    def __init__(self, options: CSQOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        n_classes = needed_classes(self.registry_name, shape)
        self.register_buffer("centres", torch.zeros(n_classes, shape.n_bits))
        self.register_buffer("tie_breaker", torch.ones(shape.n_bits))

    def prepare(self, training_x: Rows, labels: Tensor | None, generator: torch.Generator) -> None:
        """Choose a centre a class."""
        self.centres.copy_(code_centres(len(self.centres), self.shape.n_bits, generator=generator))
        self.tie_breaker.copy_(torch.randint(2, (self.shape.n_bits,), generator=generator) * 2 - 1)

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'centre' and 'quantisation'."""
        labels = needed_labels(self, batch)
        targets = centres_of_labels(self.centres, labels, tie_breaker=self.tie_breaker)
        centre = central_similarity_loss(scores, targets)
        quantisation = self.options.quantisation * (torch.tanh(scores).abs() - 1).pow(2).mean()
        self.terms = {"centre": centre.detach(), "quantisation": quantisation.detach()}
        return centre + quantisation
