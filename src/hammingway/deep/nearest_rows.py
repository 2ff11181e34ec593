"""The exact nearest rows of each training row, for objectives that keep neighbourhoods."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hammingway.errors import ShapeError

__all__ = ["nearest_rows"]

_BLOCK_ROWS = 1024


def nearest_rows(x: Tensor, k: int) -> Tensor:
    """Return the k rows of the largest cosine to each row, int64 (n, k), nearest first, itself left out.

    Parameters
    ----------
    x : float32 (n, n_features); a row of zeros has cosine 0 to all.
    k : neighbours a row, 1 <= k < n.

    Raises
    ------
    ShapeError : there are not more than k rows.

    Examples
    --------
    >>> nearest_rows(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), 1).T
    tensor([[1, 0, 1]])
    """
    if len(x) <= k:
        raise ShapeError(f"each row needs {k} neighbours, so at least {k + 1} training rows; got {len(x)}.")
    units = functional.normalize(x, dim=1)
    found = torch.empty(len(x), k, dtype=torch.int64)
    for start in range(0, len(x), _BLOCK_ROWS):
        cosines = units[start : start + _BLOCK_ROWS] @ units.T
        own = torch.arange(len(cosines))
        cosines[own, own + start] = -torch.inf
        found[start : start + _BLOCK_ROWS] = cosines.topk(k, dim=1).indices
    return found
