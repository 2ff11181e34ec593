"""The small convolutional network of deep supervised hashing, for images of 32 x 32."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.networks.base import Network, Standardize
from hammingway.deep.networks.images import image_shape

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["DSHNetwork", "DSHNetworkOptions"]

_CHANNELS = (32, 32, 64)


class DSHNetworkOptions(Config, frozen=True):
    """Options of :class:`DSHNetwork`.

    Parameters
    ----------
    hidden : width of the fully connected layer before the scores.
    batch_norm : normalise the outputs of each convolution; the paper does not.
    """

    hidden: Annotated[int, Meta(ge=1)] = 500
    batch_norm: bool = False


class DSHNetwork(Network):
    """Three convolutions of 5 x 5 (32, 32 and 64 channels), each pooled 3 x 3 by steps of 2, and two linear layers.

    ReLU follows each convolution and the first linear layer; the first pooling takes the largest value, the others the
    mean. Weights start uniform with variance 1 / inputs, as by Caffe's filler 'xavier'; with the usual 2 / (inputs +
    outputs) the first layer's outputs would be up to four times smaller, and all images nearly one point.

    References
    ----------
    H. Liu, R. Wang, S. Shan, X. Chen, "Deep supervised hashing for fast image retrieval", CVPR 2016, figure 2. Pooling
    rounds sizes up, as in Caffe: 32 x 32 becomes 16, 8 and 4. Deviates: input is standardised a channel, where the
    paper subtracts a mean image.

    Examples
    --------
    >>> network = DSHNetwork(DSHNetworkOptions(), (3, 32, 32), 12)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 12])
    """

    registry_name = "dsh-cnn"
    Options: ClassVar[type[Config]] = DSHNetworkOptions

    def __init__(self, options: DSHNetworkOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        channels, _, _ = image_shape(self.registry_name, input_shape, least=8)
        self.standardize = Standardize(input_shape)
        layers: list[nn.Module] = []
        for number, wider in enumerate(_CHANNELS):
            layers.append(nn.Conv2d(channels, wider, kernel_size=5, padding=2))
            layers += [nn.BatchNorm2d(wider)] if options.batch_norm else []
            if number == 0:  # the largest value first, then ReLU: the same, with a quarter of the values to rectify
                layers += [nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True), nn.ReLU()]
            else:
                layers += [nn.ReLU(), nn.AvgPool2d(kernel_size=3, stride=2, ceil_mode=True)]
            channels = wider
        self.features = nn.Sequential(*layers)
        with torch.no_grad():
            size = self.features.eval()(torch.zeros(1, *input_shape)).numel()
        self.hidden = nn.Linear(size, options.hidden)
        self.head = nn.Linear(options.hidden, n_bits)
        self.train()
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                limit = math.sqrt(3 / module.weight[0].numel())
                nn.init.uniform_(module.weight, -limit, limit)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def prepare(self, training_x: Rows, generator: torch.Generator) -> None:
        """Take mean and deviation of each channel of the training part."""
        self.standardize.prepare(training_x)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (n, n_bits) of x (n, channels, height, width)."""
        # Convolutions and pooling of channels-last images take half the time on a CPU.
        pixels = self.standardize(x).contiguous(memory_format=torch.channels_last)
        flat = self.features(pixels).flatten(1)
        scores: Tensor = self.head(torch.relu(self.hidden(flat)))
        return scores
