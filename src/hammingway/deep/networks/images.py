"""What networks on images share: the check of the input, and the loading of published weights."""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hammingway.errors import FileFormatError, InvalidInputError, ShapeError

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["check_pixels", "check_weights_are_there", "copy_weights", "image_shape", "read_weights"]

_SHOWN_NAMES = 5
_LOOKED_AT = 1024
_WHITE = 255


def image_shape(network: str, input_shape: tuple[int, ...], *, least: int = 1) -> tuple[int, int, int]:
    """Return ``input_shape`` as (channels, height, width).

    Raises
    ------
    ShapeError : an example is no image, or one of fewer than ``least`` pixels in height or width.
    """
    if len(input_shape) != 3:
        raise ShapeError(
            f"The network {network!r} takes images; got examples of shape {input_shape}. Give image_shape, (height, "
            f"width, channels){_square(input_shape)}, or take a network on vectors ('linear', 'mlp')."
        )
    channels, height, width = input_shape
    if min(height, width) < least:
        raise ShapeError(f"The network {network!r} takes images of at least {least} x {least}; got {height} x {width}.")
    return channels, height, width


def _square(input_shape: tuple[int, ...]) -> str:
    """Return how to write, in Python and in the shell, that rows are square images of one channel or of three."""
    n_values = math.prod(input_shape)
    for channels in (1, 3):
        side = math.isqrt(n_values // channels)
        if side * side * channels == n_values:
            shape = f"{side}, {side}, {channels}"
            return f", as in image_shape=({shape}), in the shell --param image_shape=[{shape.replace(' ', '')}]"
    return ""


def check_pixels(images: Rows) -> None:
    """Raise unless pixels look like 0 to 255, which published weights are normalised for.

    Raises
    ------
    InvalidInputError : among the first 1,024 images no pixel is above 1, or one is negative or above 255.
    """
    pixels = images[:_LOOKED_AT]
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or not 1 < high <= _WHITE:
        raise InvalidInputError(
            f"published weights see pixels from 0 to {_WHITE}; these lie from {low:g} to {high:g}. Give the images as "
            "bytes, or scaled back to that."
        )


def check_weights_are_there(path: str | os.PathLike[str]) -> None:
    """Raise FileFormatError unless there is something at ``path``."""
    if not Path(path).exists():
        raise FileFormatError(f"{path} is not there; give the path of a file of weights (.safetensors or .pth).")


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors by name of a file of weights: safetensors, or a torch file (.pth, .pt), read without pickle.

    Raises
    ------
    FileFormatError : missing, damaged, or holding anything but tensors by name.
    """
    path = Path(path)
    check_weights_are_there(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    # ValueError, LookupError: torch's reader of a text, or of a file with a flipped bit
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FileFormatError(f"{path} is not a readable file of weights: {reason}.") from error
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise FileFormatError(f"{path} holds more than tensors by name; save the model's state_dict alone.")
    return dict(weights)


def copy_weights(
    network: nn.Module, path: str | os.PathLike[str], *, own: tuple[str, ...], spare: tuple[str, ...]
) -> None:
    """Copy the weights of a file into ``network``, all but those whose names start with ``own`` or ``spare``.

    Parameters
    ----------
    own : starts of the names that only the network has: its hash layer.
    spare : starts of the names that only the file has: its classifier's last layer.

    Raises
    ------
    FileFormatError : a name is missing or of no use, or a shape differs; the message lists them.
    """
    weights = {name: value for name, value in read_weights(path).items() if not name.startswith(spare)}
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith(own)}
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}  # old files lack them
    problems = {
        "lacks": sorted(wanted.keys() - weights.keys() - counters),
        "has no use for": sorted(weights.keys() - wanted.keys()),
        "has another shape of": [
            f"{name} ({tuple(weights[name].shape)} for {tuple(wanted[name].shape)})"
            for name in sorted(wanted.keys() & weights.keys())
            if weights[name].shape != wanted[name].shape
        ],
    }
    told = [f"{what} {_listed(names)}" for what, names in problems.items() if names]
    if told:
        raise FileFormatError(f"{path} does not fit the network: it {'; it '.join(told)}.")
    network.load_state_dict(weights, strict=False)


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
