"""Networks that may begin with weights trained on photographs: loading them, normalising pixels, slower backbones."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional

from hammingway.config import Config
from hammingway.deep.networks.base import Network, ParameterGroup, Standardize
from hammingway.deep.networks.images import check_pixels, check_weights_are_there, copy_weights, image_shape
from hammingway.errors import ShapeError

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["PretrainedNetwork", "PretrainedOptions", "small_head", "with_hidden_layers"]

_HEAD_DEVIATION = 0.01

# Of the photographs that torchvision's weights were trained on: red, green and blue, of pixels from 0 to 255.
_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)


class PretrainedOptions(Config, frozen=True):
    """Options of networks with published weights.

    Parameters
    ----------
    checkpoint : file of torchvision's weights of the network (.safetensors or .pth) to begin with. Grey images are then
        seen as three equal channels, and pixels (0 to 255) normalised as torchvision does. None begins with
        random weights and normalises by the training data.
    backbone_rate : factor of the learning rate of all but the head, >= 0; 0 keeps it as it is, dropout and the
        statistics of batch normalisation included.
    resize : height and width to which images are scaled first, or None to take them as they are.
    hidden : width of each layer, with ReLU, between the backbone and the scores; they are part of the head.
    """

    checkpoint: str | None = None
    backbone_rate: Annotated[float, Meta(ge=0)] = 1.0
    resize: Annotated[int, Meta(ge=1)] | None = None
    hidden: tuple[Annotated[int, Meta(ge=1)], ...] = ()


def with_hidden_layers(widths: tuple[int, ...], last: nn.Module) -> nn.Module:
    """Return ``last`` behind a linear layer and ReLU from each width to the next; alone where there is one width."""
    layers = [layer for one, following in pairwise(widths) for layer in (nn.Linear(one, following), nn.ReLU())]
    return nn.Sequential(*layers, last) if layers else last


def small_head(widths: tuple[int, ...], n_bits: int) -> nn.Module:
    """Return the layers from published features to the scores, of which the last begins with small weights."""
    last = nn.Linear(widths[-1], n_bits)
    nn.init.normal_(last.weight, std=_HEAD_DEVIATION)
    nn.init.zeros_(last.bias)
    return with_hidden_layers(widths, last)


class PretrainedNetwork(Network):
    """Base of networks whose layers and their names are torchvision's, but for the last, which is ``head``.

    A subclass states ``spare``, makes its layers for ``channels`` channels, and begins ``represent`` with
    :meth:`pixels`.
    """

    spare: ClassVar[tuple[str, ...]]
    """Starts of the names of the published classifier's last layer, which is not loaded."""
    least: ClassVar[int] = 8
    """Pixels of height and width that the layers need."""
    options: PretrainedOptions
    head: nn.Module

    def __init__(self, options: PretrainedOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        least = self.least if options.resize is None else 1
        self.channels, _, _ = image_shape(self.registry_name, input_shape, least=least)
        if options.resize is not None and options.resize < self.least:
            raise ShapeError(f"The network {self.registry_name!r} needs resize >= {self.least}; got {options.resize}.")
        if options.checkpoint is not None:
            if self.channels not in (1, 3):
                raise ShapeError(f"Published weights are of images of 1 or 3 channels; got {self.channels}.")
            self.channels = 3
        self.standardize = Standardize((self.channels, 1, 1))
        if options.checkpoint is not None:
            self.standardize.mean.copy_(torch.tensor(_MEAN)[:, None, None])
            self.standardize.deviation.copy_(torch.tensor(_DEVIATION)[:, None, None])

    def check_sources(self) -> None:
        """Raise FileFormatError if there is no such checkpoint."""
        if self.options.checkpoint is not None:
            check_weights_are_there(self.options.checkpoint)

    def prepare(self, training_x: Rows, generator: torch.Generator) -> None:
        """Load the checkpoint, or else take mean and deviation of each channel of the training part.

        Raises
        ------
        FileFormatError : the checkpoint cannot be read, or is not of this network.
        InvalidInputError : pixels that are not from 0 to 255, where a checkpoint is given.
        """
        if self.options.checkpoint is None:
            self.standardize.prepare(training_x)
        else:
            check_pixels(training_x)
            copy_weights(self, self.options.checkpoint, own=("head.", "standardize."), spare=self.spare)

    @abstractmethod
    def represent(self, x: Tensor) -> Tensor:
        """Return what the head reads, the backbone's features (n, n_features) of x (n, channels, height, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (n, n_bits) of x (n, channels, height, width)."""
        scores: Tensor = self.head(self.represent(x))
        return scores

    def pixels(self, x: Tensor) -> Tensor:
        """Return images (n, channels, height, width) normalised, in the channels and size that the layers take."""
        x = self.standardize(x.expand(-1, self.channels, -1, -1))
        size = self.options.resize
        if size is None or x.shape[2:] == (size, size):
            return x
        return functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; a backbone that is not trained stays in the latter."""
        super().train(mode)
        if self.options.backbone_rate == 0:
            for name, child in self.named_children():
                if name != "head":
                    child.eval().requires_grad_(False)
        return self

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the backbone's parameters and the head's."""
        head = list(self.head.parameters())
        theirs = {id(parameter) for parameter in head}
        backbone = [parameter for parameter in self.parameters() if id(parameter) not in theirs]
        return [ParameterGroup(backbone, self.options.backbone_rate), ParameterGroup(head)]
