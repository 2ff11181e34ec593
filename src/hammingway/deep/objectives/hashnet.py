"""HashNet: learning by continuation, a weighted likelihood of tanh codes that sharpen as training goes on."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn.functional import softplus

from hammingway.config import Config
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import Objective, needed_labels, share_a_label

__all__ = ["HashNetObjective", "HashNetOptions", "hashnet_loss", "pair_weights"]


def pair_weights(similar: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the number of pairs over the number of pairs of the same kind, similar or not, for each pair: equation 2.

    The similar pairs weigh as much together as the others.

    Parameters
    ----------
    similar : bool of any shape, a value a pair.
    dtype : of the weights.

    Examples
    --------
    >>> pair_weights(torch.tensor([True, False, False, False]))
    tensor([4.0000, 1.3333, 1.3333, 1.3333])
    """
    n_similar = similar.sum().to(dtype)
    n_pairs = similar.numel()
    return torch.where(similar, n_pairs / n_similar.clamp(min=1), n_pairs / (n_pairs - n_similar).clamp(min=1))


def hashnet_loss(codes: Tensor, similar: Tensor, *, alpha: float) -> Tensor:
    """Return the weighted negative log-likelihood of the pairs i < j, equation 4 over their number.

    Parameters
    ----------
    codes : float (n, n_bits), n >= 2, in (-1, 1).
    similar : bool (n, n), whether two examples are of one class.
    alpha : steepness of the logistic function of the inner product, > 0.

    Notes
    -----
    A pair costs ``softplus(alpha <h_i, h_j>) - s_ij alpha <h_i, h_j>`` times its weight, :func:`pair_weights`.
    """
    first, second = torch.triu_indices(len(codes), len(codes), offset=1, device=codes.device)
    products = alpha * (codes @ codes.T)[first, second]
    same = similar[first, second]
    return (pair_weights(same, dtype=codes.dtype) * (softplus(products) - torch.where(same, products, 0.0))).mean()


class HashNetOptions(Config, frozen=True):
    """Options of :class:`HashNetObjective`.

    Parameters
    ----------
    alpha : steepness of the pairs' logistic function; None for the authors' 10 / n_bits.
    sharpness : the scale of tanh is sqrt(1 + sharpness * step); None for one that rises to the authors' final scale
        over the steps of this run, whatever their number.
    """

    alpha: Annotated[float, Meta(gt=0)] | None = None
    sharpness: Annotated[float, Meta(ge=0)] | None = None


class HashNetObjective(Objective):
    """HashNet: inner products of ``tanh(scale * scores)`` predict which pairs are similar, the scale growing.

    References
    ----------
    Z. Cao, M. Long, J. Wang, P. S. Yu, "HashNet: deep learning to hash by continuation", ICCV 2017, equations 2, 4
    and 6. Alpha 10 / n_bits and the scale sqrt(1 + 0.005 step) over 10,000 steps are those of the authors' PyTorch
    code. Deviates: pairs are those within a batch (the code takes two batches); where no ``sharpness`` is
    given, it is stretched to the length of the run.
    """

    registry_name = "hashnet"
    Options: ClassVar[type[Config]] = HashNetOptions
    needs_labels = True
    _PUBLISHED_STEPS, _PUBLISHED_SHARPNESS = 10_000, 0.005

    def scale(self, batch: Batch) -> float:
        """Return the factor of the scores at this step, >= 1."""
        sharpness = self.options.sharpness
        if sharpness is None:
            sharpness = self._PUBLISHED_SHARPNESS * self._PUBLISHED_STEPS / batch.total_steps
        return math.sqrt(1 + sharpness * batch.step)

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'pairs' and 'scale'."""
        labels = needed_labels(self, batch)
        alpha = 10 / self.shape.n_bits if self.options.alpha is None else self.options.alpha
        scale = self.scale(batch)
        loss = hashnet_loss(torch.tanh(scale * scores), share_a_label(labels, labels), alpha=alpha)
        self.terms = {"pairs": loss.detach(), "scale": torch.tensor(scale)}
        return loss
