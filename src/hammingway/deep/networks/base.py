"""What every network shares: its options, normalised input, and groups of parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from hammingway import registry
from hammingway.config import Config, from_mapping
from hammingway.deep.memory import refuse_beyond_memory, refusing_what_no_memory_holds
from hammingway.deep.objectives.base import NoOptions

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["Network", "ParameterGroup", "Standardize", "make_network", "sketch_network"]

_STATISTICS_ROWS = 1024  # a block; sums are taken block by block, in this order


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate: the configured one times ``factor`` (0 keeps them as they are)."""

    parameters: list[nn.Parameter]
    factor: float = 1.0


class Network(nn.Module, ABC):
    """Base of all networks: an example in, one score a bit out.

    A new network states ``registry_name`` and ``Options`` and writes ``forward``; it is registered as an entry point
    of the group ``hammingway.networks``. It gets the values of the data as they are (pixels of uint8 images as 0.0
    to 255.0) and normalises them itself, usually with :class:`Standardize`. In evaluation mode the scores of an
    example depend on nothing but the example.

    Parameters
    ----------
    options : an instance of the class's ``Options``.
    input_shape : of an example: (n_features,) or (channels, height, width).
    n_bits : scores an example.
    """

    registry_name: ClassVar[str]
    Options: ClassVar[type[Config]] = NoOptions

    def __init__(self, options: Any, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__()
        self.options = options
        self.input_shape = input_shape
        self.n_bits = n_bits

    def prepare(self, training_x: Rows, generator: torch.Generator) -> None:
        """Set what depends on the data before the first step (means, principal components, pretrained weights).

        Called once, on the CPU, before the objective's ``prepare``; not when a run is resumed or a hasher loaded,
        so whatever is set here must be a parameter or a buffer, made in ``__init__`` with its final shape.
        """

    def check_sources(self) -> None:
        """Raise for a file that :meth:`prepare` would read and that is not there; asked before there is any data."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (n, n_bits) of x, float32 (n, \\*input_shape)."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return all parameters, grouped by learning rate."""
        return [ParameterGroup(list(self.parameters()))]


class Standardize(nn.Module):
    """Subtracts the training mean and divides by the training deviation, a feature (or an image's channel) each.

    Features that never vary are only centred. The mean and deviation are part of the saved network.

    Parameters
    ----------
    input_shape : (n_features,) or (channels, height, width).
    shared : one deviation for all features, so that distances keep their order; for vectors that are compared.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, input_shape: tuple[int, ...], *, shared: bool = False) -> None:
        super().__init__()
        places = (input_shape[0], *[1] * (len(input_shape) - 1))
        self.shared = shared
        self.register_buffer("mean", torch.zeros(places))
        self.register_buffer("deviation", torch.ones(places))

    def prepare(self, training_x: Rows) -> None:
        """Take mean and deviation from the training part, block by block in float64."""
        axes = (0, *range(2, 1 + len(training_x.input_shape)))
        blocks = [slice(start, start + _STATISTICS_ROWS) for start in range(0, len(training_x), _STATISTICS_ROWS)]
        count = len(training_x) * training_x[:1][0, 0].numel()
        mean, variance = (
            torch.zeros_like(self.mean, dtype=torch.float64),
            torch.zeros_like(self.mean, dtype=torch.float64),
        )
        for block in blocks:
            mean += training_x[block].double().sum(dim=axes, keepdim=True)[0] / count
        for block in blocks:
            variance += ((training_x[block].double() - mean) ** 2).sum(dim=axes, keepdim=True)[0] / count
        if self.shared:
            variance = variance.mean().expand_as(variance)
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(variance > 0, variance.sqrt(), 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (n, \\*input_shape) standardised."""
        return (x - self.mean) / self.deviation


def make_network(
    name: str, options: Mapping[str, Any], *, input_shape: tuple[int, ...], n_bits: int, where: str = "network"
) -> Network:
    """Return the registered network ``name``, its weights drawn from torch's default generator.

    Raises
    ------
    UnknownNameError : no such network.
    ConfigError : an unknown option, one of the wrong type or range, or weights that no memory holds.
    ShapeError : the network does not take input of this shape.
    """
    kind = registry.load("networks", name)
    chosen = from_mapping(kind.Options, options, where=where)
    with refusing_what_no_memory_holds(f"The network {name!r}"):
        network: Network = kind(chosen, input_shape, n_bits)
    return network


def sketch_network(
    name: str, options: Mapping[str, Any], *, input_shape: tuple[int, ...], n_bits: int
) -> Network | None:
    """Return what :func:`make_network` would, without the time and memory that weights take: torch's device 'meta'.

    None for a network that looks at its weights as they are made.

    Raises
    ------
    UnknownNameError, ConfigError, ShapeError : as of :func:`make_network`.
    """
    try:
        with torch.device("meta"):
            network = make_network(name, options, input_shape=input_shape, n_bits=n_bits)
    except (RuntimeError, TypeError) as error:
        if "meta" not in str(error):
            raise
        return None
    refuse_beyond_memory(f"The network {name!r}", network)
    return network
