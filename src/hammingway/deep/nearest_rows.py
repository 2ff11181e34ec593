"""The exact nearest rows of each training row, for objectives that keep neighbourhoods."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hammingway.errors import ShapeError

__all__ = ["nearest_rows"]

_BLOCK_ROWS, _BLOCK_COSINES = 1024, 2**26  # at most: a quarter of a gibibyte


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
    at_once = max(1, min(_BLOCK_ROWS, _BLOCK_COSINES // len(x)))
    for start in range(0, len(x), at_once):
        cosines = units[start : start + at_once] @ units.T
        own = torch.arange(len(cosines))
        cosines[own, own + start] = -torch.inf
        found[start : start + at_once] = cosines.topk(k, dim=1).indices
    return found
