"""A multilayer perceptron: for features and small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.networks.base import Network, Standardize

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["MLP"]


class MLPOptions(Config, frozen=True):
    """Options of :class:`MLP`.

    Parameters
    ----------
    hidden : width of each hidden layer, input to output; none for a linear map.
    batch_norm : normalise each hidden layer over the batch while training, by the training's mean after.
    dropout : share of hidden values set to zero while training, in [0, 1).
    """

    hidden: tuple[Annotated[int, Meta(ge=1)], ...] = (512,)
    batch_norm: bool = False
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0


class MLP(Network):
    """Standardised x through hidden layers with ReLU, then a linear map to the scores; images are flattened.

    Examples
    --------
    >>> MLP(MLPOptions(hidden=(16, 16)), (8,), 3)(torch.ones(2, 8)).shape
    torch.Size([2, 3])
    """

    registry_name = "mlp"
    Options: ClassVar[type[Config]] = MLPOptions

    def __init__(self, options: MLPOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        self.standardize = Standardize(input_shape)
        layers: list[nn.Module] = []
        width = torch.Size(input_shape).numel()
        for hidden in options.hidden:
            layers.append(nn.Linear(width, hidden))
            layers += [nn.BatchNorm1d(hidden)] if options.batch_norm else []
            layers.append(nn.ReLU())
            layers += [nn.Dropout(options.dropout)] if options.dropout else []
            width = hidden
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_bits)

    def prepare(self, training_x: Rows, generator: torch.Generator) -> None:
        """Take mean and deviation of the training part."""
        self.standardize.prepare(training_x)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (n, n_bits) of x (n, \\*input_shape)."""
        scores: Tensor = self.head(self.layers(self.standardize(x).flatten(1)))
        return scores
