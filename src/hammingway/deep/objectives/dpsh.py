"""DPSH, deep pairwise-supervised hashing: the likelihood of all pairs of the batch with the whole training part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.objectives.base import Objective, TaskShape, needed_labels, share_a_label
from hammingway.deep.objectives.classification import needed_classes
from hammingway.deep.objectives.hashnet import pair_weights

if TYPE_CHECKING:
    from hammingway.deep.batches import Batch, Rows

__all__ = ["DPSHObjective", "DPSHOptions", "pair_likelihood_loss"]


def pair_likelihood_loss(scores: Tensor, others: Tensor, similar: Tensor, *, balanced: bool = False) -> Tensor:
    """Return the mean over all pairs of ``softplus(θ) - s θ`` with ``θ = <u, v> / 2``.

    Parameters
    ----------
    scores : float (n, n_bits).
    others : float (m, n_bits).
    similar : bool (n, m), s.
    balanced : return the mean of the mean over similar pairs and that over the others instead.
    """
    products = scores @ others.T / 2
    costs = functional.softplus(products) - torch.where(similar, products, 0.0)
    return (pair_weights(similar, dtype=costs.dtype) / 2 * costs).mean() if balanced else costs.mean()


class DPSHOptions(Config, frozen=True):
    """Options of :class:`DPSHObjective`.

    Parameters
    ----------
    quantisation : weight of the mean squared distance of scores from their signs, >= 0.
    balanced : let the similar pairs weigh as much together as the others, as HashNet does, where the paper counts every
        pair alike. With ten classes nine pairs in ten are dissimilar.
    """

    quantisation: Annotated[float, Meta(ge=0)] = 0.1
    balanced: bool = False


class DPSHObjective(Objective):
    """DPSH: inner products of scores are the log-odds that two rows are similar; scores stay near ±1.

    Each row of the batch is compared with the last scores of every training row. Rows whose turn has not come yet are
    left out: in published re-implementations they count as dissimilar rows with scores of zero.

    References
    ----------
    W.-J. Li, S. Wang, W.-C. Kang, "Feature learning based deep supervised hashing with pairwise labels", IJCAI 2016;
    the weight 0.1 of a mean square is that of a published re-implementation, whose sums are means, too.
    """

    registry_name = "dpsh"
    Options: ClassVar[type[Config]] = DPSHOptions
    options: DPSHOptions
    needs_labels = True
    bank: Tensor
    bank_labels: Tensor
    seen: Tensor

    def __init__(self, options: DPSHOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        n_classes = needed_classes(self.registry_name, shape)
        self.register_buffer("bank", torch.zeros(shape.n_rows, shape.n_bits))
        self.register_buffer("bank_labels", torch.zeros(shape.n_rows, n_classes, dtype=torch.bool))
        self.register_buffer("seen", torch.zeros(shape.n_rows, dtype=torch.bool))

    def prepare(self, training_x: Rows, labels: Tensor | None, generator: torch.Generator) -> None:
        """Keep the labels of the training part."""
        if labels is not None:
            self.bank_labels.copy_(self._indicators(labels))

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'likelihood' and 'quantisation'."""
        labels = self._indicators(needed_labels(self, batch))
        if self.training:
            self.bank[batch.rows] = scores.detach().to(self.bank.dtype)
            self.seen[batch.rows] = True
        others, their_labels = self.bank[self.seen], self.bank_labels[self.seen]
        similar = share_a_label(labels.float(), their_labels.float())
        likelihood = pair_likelihood_loss(scores, others, similar, balanced=self.options.balanced)
        quantisation = self.options.quantisation * (scores - scores.detach().sign()).pow(2).mean()
        self.terms = {"likelihood": likelihood.detach(), "quantisation": quantisation.detach()}
        return likelihood + quantisation

    def _indicators(self, labels: Tensor) -> Tensor:
        if labels.ndim == 1:
            return functional.one_hot(labels, self.bank_labels.shape[1]).bool()
        return labels > 0
