"""AutoHash's encoder: a funnel of layers with batch normalisation and tanh, then a linear one."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.networks.base import Network
from hammingway.errors import ShapeError

__all__ = ["AutoHashNetwork", "AutoHashNetworkOptions", "tanh_layers"]


def tanh_layers(widths: tuple[int, ...]) -> nn.Sequential:
    """Return a linear layer, batch normalisation and tanh from each width to the next."""
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), nn.BatchNorm1d(following), nn.Tanh()]
    return nn.Sequential(*layers)


class AutoHashNetworkOptions(Config, frozen=True):
    """Options of :class:`AutoHashNetwork`.

    Parameters
    ----------
    hidden : width of each hidden layer, input to output.
    normalize : divide each input by its length first, so that only its direction counts; a zero stays zero.
    """

    hidden: tuple[Annotated[int, Meta(ge=1)], ...] = (512, 256, 128, 64, 32)
    normalize: bool = True


class AutoHashNetwork(Network):
    """Unit vectors through hidden layers with batch normalisation and tanh, then a linear map to the scores.

    Raises
    ------
    ShapeError : rows of one feature, which as unit vectors are all the same but for their sign.

    References
    ----------
    AutoHash, its published encoder: 512-256-128-64-32 and 22 bits. Deviates: a zero vector gives the scores of zero
    where the published program divides by zero.

    Examples
    --------
    >>> network = AutoHashNetwork(AutoHashNetworkOptions(), (1536,), 22)
    >>> sum(parameter.numel() for parameter in network.parameters())
    964214
    """

    registry_name = "autohash"
    Options: ClassVar[type[Config]] = AutoHashNetworkOptions
    options: AutoHashNetworkOptions

    def __init__(self, options: AutoHashNetworkOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        widths = (torch.Size(input_shape).numel(), *options.hidden)
        if options.normalize and widths[0] == 1:
            raise ShapeError(
                "the network 'autohash' looks at directions, and rows of 1 feature(s) have none to tell them apart; "
                "give at least 2 features, or set network.normalize to false."
            )
        self.layers = tanh_layers(widths)
        self.head = nn.Linear(widths[-1], n_bits)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (n, n_bits) of x (n, \\*input_shape)."""
        flat = x.flatten(1)
        if self.options.normalize:
            flat = functional.normalize(flat, dim=1)
        scores: Tensor = self.head(self.layers(flat))
        return scores
