"""AlexNet with a hash layer after its last hidden one, with the names of torchvision's weights."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.networks.pretrained import PretrainedNetwork, PretrainedOptions, small_head

__all__ = ["AlexNet", "AlexNetOptions"]


class AlexNetOptions(PretrainedOptions, frozen=True):
    """Options of :class:`AlexNet`: those of pretrained networks, with the defaults of deep hashing papers.

    Parameters
    ----------
    backbone_rate : 0.1, as the head learns ten times as fast.
    resize : 224, what the weights were trained on.
    """

    backbone_rate: float = 0.1
    resize: int | None = 224


class AlexNet(PretrainedNetwork):
    """AlexNet up to its second layer of 4096 (fc7), then a linear map to the scores, drawn with deviation 0.01.

    References
    ----------
    A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014 (torchvision's variant); the
    hash layer and rates as in HashNet's PyTorch code.

    Examples
    --------
    >>> import torch
    >>> AlexNet(AlexNetOptions(resize=64), (3, 32, 32), 16).eval()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 16])
    """

    registry_name = "alexnet"
    Options: ClassVar[type[Config]] = AlexNetOptions
    spare: ClassVar[tuple[str, ...]] = ("classifier.6.",)
    least: ClassVar[int] = 63

    def __init__(self, options: AlexNetOptions, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        self.features = nn.Sequential(
            nn.Conv2d(self.channels, 64, kernel_size=11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, kernel_size=3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.head = small_head((4096, *options.hidden), n_bits)

    def represent(self, x: Tensor) -> Tensor:
        """Return fc7, rectified, (n, 4096), of x (n, channels, height, width)."""
        features: Tensor = self.classifier(self.avgpool(self.features(self.pixels(x))).flatten(1))
        return features
