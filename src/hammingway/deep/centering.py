"""The mean of the training part, taken in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from hammingway.deep.batches import Rows

__all__ = ["training_mean"]

_BLOCK_ROWS = 1024


def training_mean(training_x: Rows) -> Tensor:
    """Return the mean example, float32 (\\*input_shape); sums are taken in float64, always in the same order.

    Examples
    --------
    >>> import numpy as np
    >>> from hammingway.deep.batches import Rows
    >>> training_mean(Rows(np.array([[1, 2], [3, 6]])))
    tensor([2., 4.])
    """
    total = torch.zeros(training_x.input_shape, dtype=torch.float64)
    for start in range(0, len(training_x), _BLOCK_ROWS):
        total += training_x[start : start + _BLOCK_ROWS].double().sum(dim=0)
    return (total / len(training_x)).float()
