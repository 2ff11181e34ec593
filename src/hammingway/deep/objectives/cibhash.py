"""CIBHash: two views of one example share a code, by contrast with the rest of the batch."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import Objective, Sampling
from hammingway.deep.objectives.straight_through import straight_through_sign
from hammingway.errors import InvalidInputError

__all__ = ["CIBHashObjective", "CIBHashOptions", "contrastive_loss", "view_divergence"]


def contrastive_loss(codes: Tensor, *, temperature: float) -> Tensor:
    """Return the NT-Xent loss: the mean cross-entropy of finding each example's other view among all others.

    Parameters
    ----------
    codes : float (n, n_bits), n even and >= 2; views of one example stand at places 2i and 2i + 1.
    temperature : divides the cosines, > 0.
    """
    units = functional.normalize(codes, dim=1)
    cosines = units @ units.T / temperature
    itself = torch.eye(len(codes), dtype=torch.bool, device=codes.device)
    other = torch.arange(len(codes), device=codes.device) ^ 1
    return functional.cross_entropy(cosines.masked_fill(itself, -torch.inf), other)


def view_divergence(scores: Tensor) -> Tensor:
    """Return the mean over pairs of views of the symmetric KL divergence between their bits, in nats.

    The divergence of two views is ``(KL(p || q) + KL(q || p)) / 2``, summed over bits; p and q are the sigmoids of
    their scores, float (n, n_bits) with views at places 2i and 2i + 1.
    """
    first, second = scores[0::2], scores[1::2]
    # KL(p || q) + KL(q || p) of two coins is (p - q)(logit p - logit q).
    return ((torch.sigmoid(first) - torch.sigmoid(second)) * (first - second)).sum(dim=1).mean() / 2


class CIBHashOptions(Config, frozen=True):
    """Options of :class:`CIBHashObjective`.

    Parameters
    ----------
    temperature : of the contrastive loss, > 0.
    divergence : weight of the divergence between views, >= 0.
    """

    temperature: Annotated[float, Meta(gt=0)] = 0.3
    divergence: Annotated[float, Meta(ge=0)] = 1e-3


class CIBHashObjective(Objective):
    """CIBHash: contrastive learning of signs, with the divergence between views as an information bottleneck.

    The batch holds every row twice: augmented twice if so configured (``augment``), else told apart by the dropout
    of the network. Without either the two views are equal and only the spreading of codes is learned.

    References
    ----------
    Z. Qiu, Q. Su, Z. Ou, J. Yu, C. Chen, "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021;
    temperature 0.3 and weight 1e-3 are those of the authors' code. Deviates: bits are signs, as
    in that code, not drawn at random.
    """

    registry_name = "cibhash"
    Options: ClassVar[type[Config]] = CIBHashOptions
    options: CIBHashOptions
    sampling: ClassVar[Sampling] = "views"

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'contrast' and 'divergence'."""
        if len(scores) % 2:
            raise InvalidInputError(f"CIBHash needs two views of each row; got {len(scores)} examples, an odd number.")
        contrast = contrastive_loss(straight_through_sign(scores), temperature=self.options.temperature)
        divergence = self.options.divergence * view_divergence(scores)
        self.terms = {"contrast": contrast.detach(), "divergence": divergence.detach()}
        return contrast + divergence
