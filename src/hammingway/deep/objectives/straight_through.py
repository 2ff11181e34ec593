"""Signs that pass gradients as if they were not there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

__all__ = ["straight_through_sign"]


class _Sign(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        return torch.where(scores > 0, 1.0, -1.0).to(scores.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def straight_through_sign(scores: Tensor) -> Tensor:
    """Return 1 where a score is greater than zero, else -1; the gradient passes unchanged.

    Examples
    --------
    >>> straight_through_sign(torch.tensor([-2.0, 0.0, 0.5]))
    tensor([-1., -1.,  1.])
    """
    signs: Tensor = _Sign.apply(scores)  # type: ignore[no-untyped-call]
    return signs
