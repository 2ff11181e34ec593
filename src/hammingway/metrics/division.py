"""Division with a stated value where the denominator is zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["divide"]


def divide(numerator: NDArray[Any], denominator: NDArray[Any], *, undefined: float) -> NDArray[np.float64]:
    """Return ``numerator / denominator``, float64, and ``undefined`` where the denominator is not above 0.

    Examples
    --------
    >>> divide(np.array([1, 0]), np.array([2, 0]), undefined=np.nan)
    array([0.5, nan])
    """
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    quotient: NDArray[np.float64] = np.full(shape, undefined, dtype=np.float64)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
