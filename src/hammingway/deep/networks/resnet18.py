"""ResNet-18, with the names of torchvision's weights."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.networks.pretrained import PretrainedNetwork, PretrainedOptions, with_hidden_layers
from hammingway.errors import InvalidInputError

__all__ = ["ResNet18", "ResNet18Options"]


class ResNet18Options(PretrainedOptions, frozen=True):
    """Options of :class:`ResNet18`: those of pretrained networks, and two more.

    Parameters
    ----------
    stem : first layers: 'imagenet' is a convolution of 7 x 7 by steps of 2 and a pooling; 'mnist' the same by steps of
        1; 'small' a convolution of 3 x 3 by steps of 1 and no pooling, for images of about 32 x 32. A checkpoint
        needs 'imagenet'.
    normalize_scores : batch normalisation of the scores, with learnt scale, after a head without bias; else a plain
        linear head.
    """

    stem: Literal["imagenet", "mnist", "small"] = "imagenet"
    normalize_scores: bool = True


class ResNet18(PretrainedNetwork):
    """ResNet-18 with one score a bit in the place of its classifier.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016. The normalised scores
    and the stem 'mnist' are those of M. Duchesneau's equihash; the stem 'small' is the usual one for CIFAR.

    Examples
    --------
    >>> network = ResNet18(ResNet18Options(stem="small"), (1, 28, 28), 16)
    >>> network.eval()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 16])
    """

    registry_name = "resnet18"
    spare: ClassVar[tuple[str, ...]] = ("fc.",)
    Options: ClassVar[type[Config]] = ResNet18Options
    options: ResNet18Options

    def __init__(self, options: ResNet18Options, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        if options.checkpoint is not None and options.stem != "imagenet":
            raise InvalidInputError("ResNet-18's weights are of the stem 'imagenet'; leave stem or checkpoint out.")
        size, step = (3, 1) if options.stem == "small" else (7, 2 if options.stem == "imagenet" else 1)
        self.conv1 = nn.Conv2d(self.channels, 64, size, stride=step, padding=size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.Identity() if options.stem == "small" else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(_Block(64, 64, 1), _Block(64, 64, 1))
        self.layer2 = nn.Sequential(_Block(64, 128, 2), _Block(128, 128, 1))
        self.layer3 = nn.Sequential(_Block(128, 256, 2), _Block(256, 256, 1))
        self.layer4 = nn.Sequential(_Block(256, 512, 2), _Block(512, 512, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        widths = (512, *options.hidden)
        last: nn.Module = nn.Linear(widths[-1], n_bits)
        if options.normalize_scores:
            last = nn.Sequential(nn.Linear(widths[-1], n_bits, bias=False), nn.BatchNorm1d(n_bits))
        self.head = with_hidden_layers(widths, last)

    def represent(self, x: Tensor) -> Tensor:
        """Return the means of the last channels over the image, (n, 512), of x (n, channels, height, width)."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(self.pixels(x)))))
        features: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean(dim=(2, 3))
        return features


class _Block(nn.Module):
    """Two convolutions of 3 x 3 beside the identity, or a convolution of 1 x 1 where the shape changes."""

    def __init__(self, channels: int, wider: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, wider, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wider)
        self.conv2 = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wider)
        self.downsample = (
            nn.Identity()
            if channels == wider
            else nn.Sequential(nn.Conv2d(channels, wider, 1, stride=stride, bias=False), nn.BatchNorm2d(wider))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output (n, wider, height, width)."""
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(inner + self.downsample(x))
