"""GreedyHash: train on the signs themselves, passing the gradient straight through."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import Objective, TaskShape, needed_labels
from hammingway.deep.objectives.bihalf import CosineMatching, CosineMatchingOptions, cosine_matching_loss
from hammingway.deep.objectives.classification import classification_loss, needed_classes
from hammingway.deep.objectives.straight_through import straight_through_sign

__all__ = [
    "GreedyHashObjective",
    "GreedyHashOptions",
    "UnsupervisedGreedyHashObjective",
    "UnsupervisedGreedyHashOptions",
    "cubic_quantisation",
]


def cubic_quantisation(scores: Tensor) -> Tensor:
    """Return the mean of ``||score| - 1|³``, which draws scores to ±1.

    Examples
    --------
    >>> import torch
    >>> cubic_quantisation(torch.tensor([[3.0, -1.0]]))
    tensor(4.)
    """
    return (scores.abs() - 1).abs().pow(3).mean()


class GreedyHashOptions(Config, frozen=True):
    """Options of :class:`GreedyHashObjective`.

    Parameters
    ----------
    quantisation : weight of the mean cubed distance of scores from ±1, >= 0.
    """

    quantisation: Annotated[float, Meta(ge=0)] = 0.1


class GreedyHashObjective(Objective):
    """GreedyHash: the cross-entropy of a linear classifier on the signs of the scores, which stay near ±1.

    References
    ----------
    S. Su, C. Zhang, K. Han, Y. Tian, "Greedy hash: towards fast optimization for accurate hash coding in CNN", NeurIPS
    2018; 0.1 is the weight in the authors' code for CIFAR-10.
    Deviates: examples of several labels take a binary cross-entropy a label.
    """

    registry_name = "greedyhash"
    Options: ClassVar[type[Config]] = GreedyHashOptions
    options: GreedyHashOptions
    needs_labels = True

    def __init__(self, options: GreedyHashOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.classifier = nn.Linear(shape.n_bits, needed_classes(self.registry_name, shape), bias=False)

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'classification' and 'quantisation'."""
        labels = needed_labels(self, batch)
        classification = classification_loss(self.classifier(straight_through_sign(scores)), labels)
        quantisation = self.options.quantisation * cubic_quantisation(scores)
        self.terms = {"classification": classification.detach(), "quantisation": quantisation.detach()}
        return classification + quantisation


class UnsupervisedGreedyHashOptions(CosineMatchingOptions, frozen=True):
    """Options of :class:`UnsupervisedGreedyHashObjective`: ``center``, ``compare``, and one more.

    Parameters
    ----------
    quantisation : weight of the mean cubed distance of scores from ±1, >= 0.
    """

    quantisation: Annotated[float, Meta(ge=0)] = 0.1


class UnsupervisedGreedyHashObjective(CosineMatching):
    """GreedyHash without labels: signs whose cosines match those of their inputs, pair by pair.

    References
    ----------
    The paper of :class:`GreedyHashObjective`: the squared difference of cosines of codes and of inputs
    over pairs of the batch. Deviates: as for :class:`~hammingway.deep.objectives.bihalf.BiHalfObjective`, inputs
    are the examples themselves, unless ``compare`` is 'features'.
    """

    registry_name = "greedyhash-unsupervised"
    Options: ClassVar[type[Config]] = UnsupervisedGreedyHashOptions
    options: UnsupervisedGreedyHashOptions

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'cosine' and 'quantisation'."""
        cosine = cosine_matching_loss(straight_through_sign(scores), self.inputs(batch))
        quantisation = self.options.quantisation * cubic_quantisation(scores)
        self.terms = {"cosine": cosine.detach(), "quantisation": quantisation.detach()}
        return cosine + quantisation
