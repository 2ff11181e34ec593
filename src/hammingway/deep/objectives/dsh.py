"""Deep supervised hashing: pairs of one class close, others at least a margin apart."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor

from hammingway.config import Config
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import Objective, needed_labels, share_a_label

__all__ = ["DSHObjective", "dsh_loss"]


def dsh_loss(scores: Tensor, similar: Tensor, *, margin: float, alpha: float) -> tuple[Tensor, Tensor]:
    """Return DSH's pair loss and its regularizer, two scalars; their sum is equation 5.

    Parameters
    ----------
    scores : float (n, n_bits), n >= 2.
    similar : bool (n, n), whether two examples are of one class.
    margin : squared distance from which dissimilar pairs are left alone, > 0.
    alpha : weight of the distance of each score from ±1.

    Notes
    -----
    The pair loss is the mean over pairs i < j of ``d² / 2`` where similar and ``max(margin - d², 0) / 2`` elsewhere,
    d² the squared Euclidean distance; the regularizer is the mean over these pairs of
    ``alpha (‖|b_i| - 1‖₁ + ‖|b_j| - 1‖₁)``, in which every example is in n - 1 pairs.
    """
    squares = (scores**2).sum(dim=1)
    distances = (squares[:, None] + squares[None, :] - 2 * scores @ scores.T).clamp(min=0)
    losses = torch.where(similar, distances, (margin - distances).clamp(min=0)) / 2
    first, second = torch.triu_indices(len(scores), len(scores), offset=1, device=scores.device)
    pairs = losses[first, second].mean()
    regularizer = 2 * alpha * (scores.abs() - 1).abs().sum(dim=1).mean()
    return pairs, regularizer


class DSHOptions(Config, frozen=True):
    """Options of :class:`DSHObjective`.

    Parameters
    ----------
    margin : squared distance from which dissimilar pairs are left alone; None for the paper's 2 * n_bits.
    alpha : weight of the regularizer that draws scores to ±1, >= 0.
    """

    margin: Annotated[float, Meta(gt=0)] | None = None
    alpha: Annotated[float, Meta(ge=0)] = 0.01


class DSHObjective(Objective):
    """DSH: a contrastive loss on the scores of all pairs in the batch, and scores near ±1.

    References
    ----------
    H. Liu, R. Wang, S. Shan, X. Chen, "Deep supervised hashing for fast image retrieval", CVPR 2016, equation 5;
    m = 2 n_bits and all pairs of a batch of 200 as in its section 4. Deviates: examples of several labels are
    similar where they share one. alpha = 0.01 is our choice, not a sourced one.
    """

    registry_name = "dsh"
    Options: ClassVar[type[Config]] = DSHOptions
    needs_labels = True

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'pairs' and 'regularizer'."""
        labels = needed_labels(self, batch)
        margin = 2.0 * self.shape.n_bits if self.options.margin is None else self.options.margin
        pairs, regularizer = dsh_loss(scores, share_a_label(labels, labels), margin=margin, alpha=self.options.alpha)
        self.terms = {"pairs": pairs.detach(), "regularizer": regularizer.detach()}
        return pairs + regularizer
