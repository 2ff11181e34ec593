"""The small convolutional network of equihash's FastMnist task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hammingway.deep.networks.base import Network, Standardize
from hammingway.deep.networks.images import image_shape
from hammingway.deep.objectives.base import NoOptions

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["FastMnistNetwork"]


class FastMnistNetwork(Network):
    """Three convolutions (24, 32 and 48 channels), each pooled 2 x 2, a layer of 512, and normalised scores.

    Every convolution is pooled before its ReLU, and batch normalisation follows the first two. The scores themselves
    pass a batch normalisation with learnt scale, which balances bits and lets scores grow large.

    References
    ----------
    M. Duchesneau's equihash, FastMnistMosaic: mosaics of 2 x 2 digits, 56 x 56. Deviates: any image of at least 22 x
    22; input is standardised, where the program divides by 255.

    Examples
    --------
    >>> network = FastMnistNetwork(NoOptions(), (1, 56, 56), 64)
    >>> sum(parameter.numel() for parameter in network.parameters())
    939760
    """

    registry_name = "fast-mnist-cnn"

    def __init__(self, options: NoOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        channels, height, width = image_shape(self.registry_name, input_shape, least=22)
        self.standardize = Standardize(input_shape)
        self.features = nn.Sequential(
            nn.Conv2d(channels, 24, kernel_size=5), nn.MaxPool2d(2), nn.ReLU(), nn.BatchNorm2d(24),
            nn.Conv2d(24, 32, kernel_size=3), nn.MaxPool2d(2), nn.ReLU(), nn.BatchNorm2d(32),
            nn.Conv2d(32, 48, kernel_size=3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        )  # fmt: skip
        size = 48 * (_pooled(height) * _pooled(width))
        self.hidden = nn.Linear(size, 512)
        self.head = nn.Linear(512, n_bits)
        self.normalize = nn.BatchNorm1d(n_bits)

    def prepare(self, training_x: Rows, generator: torch.Generator) -> None:
        """Take mean and deviation of each channel of the training part."""
        self.standardize.prepare(training_x)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (n, n_bits) of x (n, channels, height, width)."""
        flat = self.features(self.standardize(x)).flatten(1)
        scores: Tensor = self.normalize(self.head(torch.relu(self.hidden(flat))))
        return scores


def _pooled(length: int) -> int:
    """Return what is left of a length after the three convolutions and poolings."""
    return (((length - 4) // 2 - 2) // 2) // 2
