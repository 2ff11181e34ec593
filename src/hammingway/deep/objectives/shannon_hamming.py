"""ShannonHamming: equal things get equal bits, and every few bits are as random as they can be."""

from __future__ import annotations

from math import comb
from typing import Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.batches import Batch
from hammingway.deep.objectives.base import Objective, Sampling, TaskShape
from hammingway.deep.objectives.bit_tuples import covering_tuples, n_covering_tuples
from hammingway.deep.objectives.tuple_entropy import GradientType, tuple_entropy
from hammingway.errors import InvalidInputError

__all__ = [
    "EntropyOptions",
    "EntropyTerm",
    "ShannonHammingObjective",
    "ShannonHammingOptions",
    "hamming_loss",
    "huber_penalty",
]

NotNegative = Annotated[float, Meta(ge=0)]
_PUBLISHED_BITS = 64
_HUBER_KNEE = 9.0


def hamming_loss(scores: Tensor) -> Tensor:
    """Return minus the mean over pairs of the log-chance that their bits agree, summed over bits, in nats.

    ``-mean_n Σ_i ln(p_i q_i + (1 - p_i)(1 - q_i))``, p and q the sigmoids of the two scores.

    Parameters
    ----------
    scores : float (n, n_bits), n even; places 2i and 2i + 1 hold a pair.
    """
    first, second = scores[0::2], scores[1::2]
    both_one = functional.logsigmoid(first) + functional.logsigmoid(second)
    both_zero = functional.logsigmoid(-first) + functional.logsigmoid(-second)
    return -torch.logaddexp(both_one, both_zero).sum(dim=1).mean()


def huber_penalty(scores: Tensor, *, slope: float) -> Tensor:
    """Return the mean over rows of the penalty on large scores, summed over bits.

    ``slope z² / 18`` where ``|z| < 9``, else ``slope (|z| - 4.5)``, which meets it there.
    """
    magnitudes = scores.abs()
    inner = slope / (2 * _HUBER_KNEE) * magnitudes**2
    outer = slope * (magnitudes - _HUBER_KNEE / 2)
    return torch.where(magnitudes < _HUBER_KNEE, inner, outer).sum(dim=1).mean()


class EntropyOptions(Config, frozen=True):
    """Options of the entropy term, which ShannonHamming and HashNetShannon share.

    Parameters
    ----------
    entropy : weight λ_S of the sum of all entropies in nats at 64 bits, >= 0. At other widths it is multiplied so that
        its balance with the term of the pairs is the same, see :class:`EntropyTerm`.
    tuple_size, cover : bits in a tuple, and bits of the subsets each of which is in some tuple; equal for all tuples.
        In a code of fewer bits than that a tuple has all of them.
    minimum_tuples : tuples to take at least.
    tuple_seed : of the random bits of tuples larger than the cover.
    shuffle : permute the bits before every step, so that other tuples are seen.
    gradient : 'normal', 'pseudo-smooth' or 'straight-through', see
        :func:`~hammingway.deep.objectives.tuple_entropy.tuple_entropy`.
    prior : added to each count by the latter two, > 0.
    penalty : slope m of the Huber penalty on scores, >= 0.
    """

    entropy: NotNegative = 0.03
    tuple_size: Annotated[int, Meta(ge=1, le=8)] = 3
    cover: Annotated[int, Meta(ge=1, le=8)] = 3
    minimum_tuples: Annotated[int, Meta(ge=0)] = 0
    tuple_seed: Annotated[int, Meta(ge=0)] = 0xCAFE
    shuffle: bool = False
    gradient: GradientType = "normal"
    prior: Annotated[float, Meta(gt=0)] = 1.0
    penalty: NotNegative = 0.0


class EntropyTerm(torch.nn.Module):
    """Minus the weighted sum of the entropies of tuples of bits over the batch.

    Parameters
    ----------
    options : their ``entropy`` is the weight of each tuple at 64 bits.
    n_bits : bits a code.
    per_bit : at every width a bit is in tuples of the same total weight, as befits a term of the pairs that is a sum
        over bits. Otherwise all tuples together weigh the same, beside one that does not grow with the bits.

    Raises
    ------
    InvalidInputError : the cover is larger than a tuple.
    """

    tuples: Tensor | None

    def __init__(self, options: EntropyOptions, n_bits: int, *, per_bit: bool = True) -> None:
        super().__init__()
        size, cover, minimum = options.tuple_size, options.cover, options.minimum_tuples
        if cover > size:
            raise InvalidInputError(f"tuples of {size} bits cover subsets of at most {size}; got cover = {cover}.")
        self.size = min(size, n_bits)
        tuples = covering_tuples(
            n_bits, size=self.size, cover=min(cover, n_bits), minimum=minimum, seed=options.tuple_seed
        )
        published = n_covering_tuples(_PUBLISHED_BITS, size=size, cover=cover, minimum=minimum)
        self.options = options
        self.weight = options.entropy * published / len(tuples) * (n_bits / _PUBLISHED_BITS if per_bit else 1.0)
        # Of all pairs and triples the products of matrices need no list.
        whole = self.size in (2, 3) and len(tuples) == comb(n_bits, self.size)
        self.register_buffer("tuples", None if whole else tuples, persistent=False)

    def forward(self, scores: Tensor) -> Tensor:
        """Return ``-λ_S Σ_T H_T`` of scores (n, n_bits)."""
        options = self.options
        if options.shuffle:
            scores = scores[:, torch.randperm(scores.shape[1]).to(scores.device)]
        return -self.weight * tuple_entropy(
            scores, self.tuples, size=self.size, gradient=options.gradient, prior=options.prior
        )


class ShannonHammingOptions(EntropyOptions, frozen=True):
    """Options of :class:`ShannonHammingObjective`: those of the entropy, and one more.

    Parameters
    ----------
    hamming : weight λ_H of the disagreement of pairs, >= 0.
    """

    hamming: NotNegative = 1.0


class ShannonHammingObjective(Objective):
    """ShannonHamming: pairs agree in every bit while every few bits have all the entropy they can.

    The loss is ``-λ_S Σ_T H_T - λ_H mean_n Σ_i ln(p_i q_i + (1 - p_i)(1 - q_i)) + mean Σ_i huber(z_i)``, p and q the
    chances of the bits of a pair, H_T the entropy of a tuple T of bits over the batch. By default T are all triples.
    Bits that are independent by threes spread unequal things evenly over the codes, with no negative pair seen.

    References
    ----------
    M. Duchesneau's equihash (its program and README, "Learning an equihash to find a needle in a haystack"): λ_S 0.03
    of its OpenImages and mosaic configurations (0.01 for MNIST), seed 0xCAFE. Its SHQuad has tuples of 4 that cover all
    3, shuffled, λ_S 0.01; its PseudoSH the gradient 'pseudo-smooth'. Deviates: 'straight-through', which its
    program refuses, is done; λ_S follows the number of bits; where the bits allow fewer tuples than subsets to cover,
    all tuples are taken.
    """

    registry_name = "shannon-hamming"
    Options: ClassVar[type[Config]] = ShannonHammingOptions
    options: ShannonHammingOptions
    sampling: ClassVar[Sampling] = "pairs"

    def __init__(self, options: ShannonHammingOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.entropy = EntropyTerm(options, shape.n_bits)

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (n, n_bits); its terms are 'entropy', 'hamming' and 'penalty'."""
        check_pairs(self, scores)
        terms = {
            "entropy": self.entropy(scores),
            "hamming": self.options.hamming * hamming_loss(scores),
            "penalty": huber_penalty(scores, slope=self.options.penalty),
        }
        self.terms = {name: term.detach() for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum()


def check_pairs(objective: Objective, scores: Tensor) -> None:
    """Raise unless there is a whole number of pairs."""
    if len(scores) % 2 or not len(scores):
        raise InvalidInputError(
            f"The objective {objective.registry_name!r} needs pairs, places 2i and 2i + 1; got {len(scores)} examples."
        )
