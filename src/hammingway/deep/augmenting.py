"""What is done to examples before the network sees them in training, and only there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from hammingway.deep.batches import Rows
from hammingway.errors import InvalidInputError

__all__ = ["Augmentation", "check_augmentation", "make_augmentation"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""From x (n, \\*input_shape) and a generator on the CPU to a new x of the same shape."""

_NOISE_SHARE = 0.1  # of a feature's deviation
_DEVIATION_ROWS = 4096


def make_augmentation(name: Literal["none", "flip", "flip-crop", "noise"], rows: Rows) -> Augmentation | None:
    """Return the augmentation of this name for the training part ``rows``; None for 'none'."""
    check_augmentation(name, rows.input_shape)
    if name == "none":
        return None
    if name == "noise":
        deviation = rows[:_DEVIATION_ROWS].std(dim=0, correction=0)
        return lambda x, random: x + _NOISE_SHARE * deviation * torch.randn(x.shape, generator=random)
    return flip if name == "flip" else lambda x, random: crop(flip(x, random), random)


def check_augmentation(name: str, input_shape: tuple[int, ...]) -> None:
    """Raise InvalidInputError for flips and crops of examples that are no images."""
    if name.startswith("flip") and len(input_shape) != 3:
        raise InvalidInputError(
            f"augment={name!r} is for images; give image_shape=(height, width, channels), or take augment='noise'."
        )


def flip(x: Tensor, random: torch.Generator) -> Tensor:
    """Return the images (n, channels, height, width), about half of them mirrored left to right."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=random) < 0.5
    return torch.where(mirrored, x.flip(3), x)


def crop(x: Tensor, random: torch.Generator) -> Tensor:
    """Return the images (n, channels, height, width), each shifted by up to an eighth; zeros come in at the edges."""
    n, channels, height, width = x.shape
    down, right = height // 8, width // 8
    rows = torch.randint(0, 2 * down + 1, (n, 1, 1, 1), generator=random) + torch.arange(height)[:, None]
    columns = torch.randint(0, 2 * right + 1, (n, 1, 1, 1), generator=random) + torch.arange(width)
    padded = pad(x, (right, right, down, down))
    examples, colours = torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None]
    return padded[examples, colours, rows, columns]
