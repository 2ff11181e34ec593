"""OrthoHash: one margin softmax over cosines to orthogonal binary targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.objectives.base import Objective, TaskShape, needed_labels
from hammingway.deep.objectives.classification import needed_classes
from hammingway.deep.objectives.code_centres import code_centres

if TYPE_CHECKING:
    from hammingway.deep.batches import Batch, Rows

__all__ = ["OrthoHashObjective", "OrthoHashOptions", "margin_cosine_loss"]

_EPSILON = 1e-5  # of batch normalisation, as torch has it


def margin_cosine_loss(codes: Tensor, centres: Tensor, labels: Tensor, *, scale: float, margin: float) -> Tensor:
    """Return the mean cross-entropy of ``scale * (cosine - margin where the label is)``.

    Parameters
    ----------
    codes : float (n, n_bits).
    centres : float (n_classes, n_bits).
    labels : int64 (n,) class numbers, or float (n, n_classes) of zeros and ones, which share the target evenly.
    scale : > 0.
    margin : >= 0.
    """
    targets = functional.one_hot(labels, len(centres)).to(codes.dtype) if labels.ndim == 1 else labels
    cosines = functional.normalize(codes, dim=1) @ functional.normalize(centres, dim=1).T
    shares = targets / targets.sum(dim=1, keepdim=True).clamp(min=1)
    return -(shares * torch.log_softmax(scale * (cosines - margin * targets), dim=1)).sum(dim=1).mean()


class OrthoHashOptions(Config, frozen=True):
    """Options of :class:`OrthoHashObjective`.

    Parameters
    ----------
    scale : of the cosines before the softmax, > 0.
    margin : taken from the cosine to the right class, >= 0; the authors take 0.2, on CIFAR-10 0.3.
    """

    scale: Annotated[float, Meta(gt=0)] = 8.0
    margin: Annotated[float, Meta(ge=0)] = 0.2


class OrthoHashObjective(Objective):
    """OrthoHash: scores, normalised over the batch, point at the binary code of their class; nothing else.

    The cosine to a code of ±1 is largest where the signs agree and all magnitudes are equal, so there is no term for
    quantisation; batch normalisation balances the bits. After training it becomes a threshold a bit, the
    mean of the training scores, and nothing of a batch is left.

    References
    ----------
    J. T. Hoe, K. W. Ng, T. Zhang, C. S. Chan, Y.-Z. Song, T. Xiang, "One loss for all: deep hashing with a single
    cosine similarity based learning objective", NeurIPS 2021; scale 8 and margin 0.2 are the
    defaults of the authors' code. Deviates: centres are Hadamard rows where these fit; the mean of a bit is that of
    all training rows rather than a running one.
    """

    registry_name = "orthohash"
    Options: ClassVar[type[Config]] = OrthoHashOptions
    options: OrthoHashOptions
    needs_labels = True
    centres: Tensor

    def __init__(self, options: OrthoHashOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.register_buffer("centres", torch.zeros(needed_classes(self.registry_name, shape), shape.n_bits))

    def prepare(self, training_x: Rows, labels: Tensor | None, generator: torch.Generator) -> None:
        """Choose a centre a class."""
        self.centres.copy_(code_centres(len(self.centres), self.shape.n_bits, generator=generator))

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits)."""
        labels = needed_labels(self, batch)
        deviation = (scores.var(dim=0, unbiased=False) + _EPSILON).sqrt()
        codes = (scores - scores.mean(dim=0)) / deviation
        options = self.options
        loss = margin_cosine_loss(codes, self.centres, labels, scale=options.scale, margin=options.margin)
        self.terms = {"cosine": loss.detach()}
        return loss

    def thresholds(self, scores: Tensor) -> Tensor:
        """Return the mean of each bit's training scores."""
        return scores.double().mean(dim=0).float()
