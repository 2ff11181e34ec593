"""Bi-half: every bit splits the batch in half, and codes keep the cosines of their inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import torch
from msgspec import Meta
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.centering import training_mean
from hammingway.deep.networks.pretrained import PretrainedNetwork
from hammingway.deep.objectives.base import Objective, TaskShape
from hammingway.errors import InvalidInputError

if TYPE_CHECKING:
    from hammingway.deep.batches import Batch, Rows
    from hammingway.deep.networks.base import Network

__all__ = [
    "BiHalfObjective",
    "BiHalfOptions",
    "CosineMatching",
    "CosineMatchingOptions",
    "cosine_matching_loss",
    "half_and_half",
]

_ROWS_AT_ONCE = 32  # through a backbone


class CosineMatchingOptions(Config, frozen=True):
    """Options of objectives that match cosines.

    Parameters
    ----------
    center : subtract the training mean from the inputs before their cosines are taken. The paper's inputs are
        rectified features, not centred; pixels and most embeddings lie off the origin, where all cosines are large.
    compare : the codes' cosines are compared with those of the 'inputs', or of the 'features' of the network's frozen
        backbone, as the papers do with images; then without ``center``.
    """

    center: bool = False
    compare: Literal["inputs", "features"] = "inputs"


class BiHalfOptions(CosineMatchingOptions, frozen=True):
    """Options of :class:`BiHalfObjective`: ``center``, ``compare``, and one more.

    Parameters
    ----------
    gamma : weight of the pull of each score towards its code, >= 0.
    """

    gamma: Annotated[float, Meta(ge=0)] = 6.0


class _HalfAndHalf(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, gamma: float) -> Tensor:
        order = torch.argsort(scores, dim=0, descending=True, stable=True)
        signs = scores.new_ones(len(scores), 1)
        signs[len(scores) // 2 :] = -1
        codes = torch.empty_like(scores).scatter_(0, order, signs.expand_as(scores))
        ctx.save_for_backward(scores - codes)
        ctx.gamma = gamma
        return codes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (excess,) = ctx.saved_tensors
        return gradients[0] + ctx.gamma * excess / excess.numel(), None


def half_and_half(scores: Tensor, *, gamma: float) -> Tensor:
    """Return codes of -1 and 1 with the larger half of each bit's scores at 1: the optimal transport to balanced bits.

    Of an odd number n, (n - 1) / 2 become 1; equal scores go by their place. The gradient passes as if codes were
    scores, plus ``gamma * (scores - codes) / scores.numel()``.

    Parameters
    ----------
    scores : float (n, n_bits).
    gamma : >= 0.

    Examples
    --------
    >>> half_and_half(torch.tensor([[3.0], [1.0], [2.0], [0.5]]), gamma=6.0).T
    tensor([[ 1., -1.,  1., -1.]])
    """
    codes: Tensor = _HalfAndHalf.apply(scores, gamma)  # type: ignore[no-untyped-call]
    return codes


def cosine_matching_loss(codes: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean squared difference of cosines between codes and between inputs, over n // 2 pairs.

    Example i of the first half is paired with i of the second; of an odd number the last has no pair.

    Parameters
    ----------
    codes : float (n, n_bits), n >= 2.
    inputs : float (n, n_features).
    """
    half = len(codes) // 2
    first, second = slice(half), slice(half, 2 * half)
    of_codes = functional.cosine_similarity(codes[first], codes[second])
    of_inputs = functional.cosine_similarity(inputs[first], inputs[second])
    return functional.mse_loss(of_codes, of_inputs)


class CosineMatching(Objective):
    """Base of objectives that match cosines of codes with those of inputs, centred if so configured, or of features."""

    options: CosineMatchingOptions
    mean: Tensor

    def __init__(self, options: CosineMatchingOptions, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.register_buffer("mean", torch.zeros(shape.input_shape))
        self._represent: Callable[[Tensor], Tensor] | None = None

    def attach(self, network: Network) -> None:
        """Keep the way to the features of the network's backbone, if these are to be compared.

        Raises
        ------
        InvalidInputError : the network has no backbone that stays as it is, or the features were to be centred.
        """
        if self.options.compare == "inputs":
            return
        if self.options.center:
            raise InvalidInputError("center is for inputs; leave it out where compare is 'features'.")
        if not isinstance(network, PretrainedNetwork) or network.options.backbone_rate != 0:
            raise InvalidInputError(
                "compare = 'features' needs a backbone that stays as it is; take the network 'alexnet', 'vgg16', "
                "'resnet18' or 'backbone' with backbone_rate = 0, or leave compare out."
            )
        self._represent = network.represent

    def prepare(self, training_x: Rows, labels: Tensor | None, generator: torch.Generator) -> None:
        """Take the training mean, if inputs are to be centred."""
        if self.options.center:
            self.mean.copy_(training_mean(training_x))

    def inputs(self, batch: Batch) -> Tensor:
        """Return what codes are compared with, float (n, n_features).

        Raises
        ------
        InvalidInputError : the batch has one row, so no pair.
        """
        if len(batch.x) < 2:
            raise InvalidInputError(
                f"The objective {self.registry_name!r} compares pairs within a batch; give at least 2 rows."
            )
        if self._represent is None:
            return (batch.x - self.mean).flatten(1)
        with torch.no_grad():
            return torch.cat([self._represent(part) for part in torch.split(batch.x, _ROWS_AT_ONCE)])


class BiHalfObjective(CosineMatching):
    """Codes by the half-and-half layer whose cosines match those of the inputs; no labels.

    While it trains, a batch is split in half at every bit, which gives bits the most entropy they can have. Afterwards
    a bit is the sign of its own score: the layer is never used on data to be encoded, where it would make a code
    depend on its neighbours in the batch.

    References
    ----------
    Y. Li, J. van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021;
    gamma = 6 is the value of its experiments. Deviates: inputs are the examples themselves, unless ``compare`` is
    'features', as in the paper (without dropout, which other implementations left on, so that the target was noisy);
    an odd batch leaves one example unpaired rather than failing.
    """

    registry_name = "bihalf"
    Options: ClassVar[type[Config]] = BiHalfOptions
    options: BiHalfOptions

    def forward(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the cosine matching loss of the half-and-half codes."""
        codes = half_and_half(scores, gamma=self.options.gamma)
        loss = cosine_matching_loss(codes, self.inputs(batch))
        self.terms = {"cosine": loss.detach(), "quantisation": (scores.detach() - codes.detach()).abs().mean()}
        return loss
