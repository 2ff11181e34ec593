"""VGG-16 with a hash layer after its last hidden one, with the names of torchvision's weights."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from hammingway.config import Config
from hammingway.deep.networks.pretrained import PretrainedNetwork, PretrainedOptions, small_head

__all__ = ["VGG16", "VGG16Options"]

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions before each pooling


class VGG16Options(PretrainedOptions, frozen=True):
    """Options of :class:`VGG16`: those of pretrained networks, with the defaults of deep hashing papers.

    Parameters
    ----------
    backbone_rate : 0.1, as the head learns ten times as fast; Bi-half and CIBHash keep the backbone, 0.
    resize : 224, what the weights were trained on.
    """

    backbone_rate: float = 0.1
    resize: int | None = 224


class VGG16(PretrainedNetwork):
    """VGG-16 up to its second layer of 4096 (fc7), then a linear map to the scores, drawn with deviation 0.01.

    References
    ----------
    K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
    configuration D, without batch normalisation.
    """

    registry_name = "vgg16"
    Options: ClassVar[type[Config]] = VGG16Options
    spare: ClassVar[tuple[str, ...]] = ("classifier.6.",)
    least: ClassVar[int] = 32

    def __init__(self, options: VGG16Options, input_shape: tuple[int, ...], n_bits: int) -> None:
        super().__init__(options, input_shape, n_bits)
        layers: list[nn.Module] = []
        channels = self.channels
        for wider, n_convolutions in _STAGES:
            for _ in range(n_convolutions):
                layers += [nn.Conv2d(channels, wider, kernel_size=3, padding=1), nn.ReLU()]
                channels = wider
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()
        )
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.head = small_head((4096, *options.hidden), n_bits)

    def represent(self, x: Tensor) -> Tensor:
        """Return fc7, rectified, (n, 4096), of x (n, channels, height, width)."""
        features: Tensor = self.classifier(self.avgpool(self.features(self.pixels(x))).flatten(1))
        return features
