"""One linear map: the network to begin with, and the fastest to encode with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.networks.base import Network, Standardize

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["Linear"]


class LinearOptions(Config, frozen=True):
    """Options of :class:`Linear`.

    Parameters
    ----------
    bias : add a learnt number to each score.
    standardize : subtract each feature's training mean and divide by its deviation first; else take features as they
        are, as published programs do that begin with a linear layer.
    """

    bias: bool = True
    standardize: bool = True


class Linear(Network):
    """Scores = standardised x · weights + bias; images are flattened.

    Examples
    --------
    >>> Linear(LinearOptions(), (8,), 3)(torch.ones(2, 8)).shape
    torch.Size([2, 3])
    """

    registry_name = "linear"
    Options: ClassVar[type[Config]] = LinearOptions
    options: LinearOptions

    def __init__(self, options: LinearOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        self.standardize = Standardize(input_shape)
        self.head = nn.Linear(torch.Size(input_shape).numel(), n_bits, bias=options.bias)

    def prepare(self, training_x: Rows, generator: torch.Generator) -> None:
        """Take mean and deviation of the training part, unless features are to be left as they are."""
        if self.options.standardize:
            self.standardize.prepare(training_x)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (n, n_bits) of x (n, \\*input_shape)."""
        scores: Tensor = self.head(self.standardize(x).flatten(1))
        return scores
