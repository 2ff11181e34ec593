"""What one training step works on, and the order in which rows come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hammingway.hashers.rows import float_rows

__all__ = ["Batch", "Rows", "as_examples"]

_HELD_BYTES = 2**31  # of rows that are kept in memory once they were read
_BLOCK_ROWS = 1024


@dataclass
class Batch:
    """Everything an objective may look at.

    Parameters
    ----------
    rows : int64 (n,), where each example stands in the training part; -1 for none (validation).
    x : float32 (n, \\*input_shape), what the network saw, augmented if so configured.
    labels : int64 (n,) class numbers from 0, or float32 (n, n_classes) of zeros and ones; None without labels.
    neighbors : int64 (n_anchors, k), only for objectives that sample 'neighbors': the places in this batch of the
        neighbours of its first n_anchors examples.
    step : optimiser steps done before this one.
    epoch : passes over the training part done before this step.
    total_steps : of the whole run.
    """

    rows: Tensor
    x: Tensor
    labels: Tensor | None
    neighbors: Tensor | None = None
    step: int = 0
    epoch: int = 0
    total_steps: int = 1


class Rows:
    """Examples as float32 tensors on demand, from an array or memory-mapped file of any number type.

    ``rows[slice]`` or ``rows[int64 tensor]`` is float32 (n, \\*input_shape) on the CPU; ``rows[:]`` is all of them.

    Parameters
    ----------
    X : numeric (n_all, n_features).
    indices : int64 (n,), the rows of X that count; None for all.
    image_shape : (height, width, channels) if a row is a flattened image; its example is (channels, height, width).
    """

    def __init__(
        self,
        X: NDArray[Any],
        indices: NDArray[np.int64] | None = None,
        *,
        image_shape: tuple[int, int, int] | None = None,
    ) -> None:
        self._X = X
        self._indices = np.arange(len(X)) if indices is None else indices
        self._image_shape = image_shape
        self._held: Tensor | None = None

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of an example: (n_features,) or (channels, height, width)."""
        if self._image_shape is None:
            return (int(self._X.shape[1]),)
        height, width, channels = self._image_shape
        return channels, height, width

    def __getitem__(self, places: slice | Tensor | NDArray[np.int64]) -> Tensor:
        if self._held is not None:
            return self._held[torch.from_numpy(places) if isinstance(places, np.ndarray) else places].float()
        chosen = self._indices[places.numpy() if isinstance(places, Tensor) else places]
        return as_examples(float_rows(self._X, chosen), self._image_shape)

    def read_once(self) -> None:
        """Look at every row, and keep them all, bytes as bytes and others as float32, if they take no more than 2 GiB.

        Raises
        ------
        InvalidInputError : NaN, infinity or a value beyond ±1e30; the message says in which row of X.
        """
        kind = torch.uint8 if self._X.dtype == np.uint8 else torch.float32
        keep = len(self) * kind.itemsize * self._X.shape[1] <= _HELD_BYTES
        held = torch.empty(len(self) if keep else 0, *self.input_shape, dtype=kind)
        for start in range(0, len(self), _BLOCK_ROWS):
            block = self[start : start + _BLOCK_ROWS]
            if keep:
                held[start : start + _BLOCK_ROWS] = block
        self._held = held if keep else None


def as_examples(rows: NDArray[np.float64], image_shape: tuple[int, int, int] | None) -> Tensor:
    """Return float32 (n, n_features), or (n, channels, height, width) for rows of (height, width, channels)."""
    x = torch.from_numpy(rows.astype(np.float32))
    if image_shape is None:
        return x
    return x.reshape(len(x), *image_shape).permute(0, 3, 1, 2).contiguous()
