"""Matrix products that come out the same to the last bit, whoever computes them.

A floating-point product depends on the order of its additions, and a BLAS library orders them by the
shape of the matrices, the position of a row in its block, the number of threads and the processor. A
score near zero then flips its bit when the batch is cut differently. Here both factors are first rounded
to integers, so few bits wide that every product and every partial sum stays within 2**53. Such sums are
exact in float64, therefore independent of their order: one ordinary matrix product, at its full speed,
gives one answer everywhere.

The rounding keeps about 22 bits of each value relative to the largest of its row (its column, for
weights): the accuracy of a float32 product.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FixedPointProduct", "exact_gram", "to_fixed_point"]

_EXACT_BITS = 53
_SMALLEST_EXPONENT = -200  # scores this small are zero in float32 anyway; keeps every scale finite


class FixedPointProduct:
    """``(rows - mean) @ weights``, bitwise independent of batch, order, layout, threads and BLAS.

    Parameters
    ----------
    weights : float (n_features, n_columns), finite.
    mean : float64 (n_features,), subtracted from every row first; None subtracts nothing.

    Notes
    -----
    With ``|row| <= 2**27`` and ``|column| <= 2**26`` as Euclidean norms, Cauchy and Schwarz bound every
    partial sum by 2**53. A norm is at most ``sqrt(n_features)`` times the largest element, so the largest
    element alone, which no order of operations can change, sets the scale.

    Examples
    --------
    >>> product = FixedPointProduct(np.array([[1.0], [-2.0]]))
    >>> product(np.array([[3.0, 1.0], [1.0, 1.0]]))
    array([[ 1.], [-1.]])
    """

    def __init__(self, weights: NDArray[Any], mean: NDArray[np.float64] | None = None) -> None:
        half = math.log2(max(len(weights), 1)) / 2
        self._row_bits = math.floor(27 - half)
        weight_bits = math.floor(26 - half)
        self._weights, exponents = to_fixed_point(np.array(weights, dtype=np.float64), weight_bits, axis=0)
        self._column_scale = np.ldexp(1.0, exponents - weight_bits)
        self._mean = mean if mean is not None and mean.any() else None

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product, float64 (n, n_columns); ``rows``, float64 (n, n_features), is overwritten."""
        if self._mean is not None:
            rows -= self._mean
        integers, exponents = to_fixed_point(rows, self._row_bits, axis=1)
        scores: NDArray[np.float64] = integers @ self._weights
        # Powers of two: neither multiplication rounds.
        scores *= np.ldexp(1.0, exponents - self._row_bits)[:, None]
        scores *= self._column_scale
        return scores


def to_fixed_point(
    matrix: NDArray[np.float64], n_bits: int, *, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return ``matrix`` as integers of magnitude <= 2**n_bits, in place, and an exponent for each line.

    Parameters
    ----------
    matrix : float64 (n, m), finite; overwritten.
    axis : the axis a scale is shared along: 1 gives each row its own exponent, 0 each column.

    Returns
    -------
    integers : ``matrix`` itself, now whole numbers.
    exponents : int64 (n,) or (m,); ``integers * 2.0**(exponents - n_bits)`` is the value.
    """
    largest = np.maximum(matrix.max(axis=axis, initial=0.0), -matrix.min(axis=axis, initial=0.0))
    exponents = np.maximum(np.frexp(largest)[1].astype(np.int64), _SMALLEST_EXPONENT)
    matrix *= np.expand_dims(np.ldexp(1.0, n_bits - exponents), axis)
    np.rint(matrix, out=matrix)
    return matrix, exponents


def exact_gram(rows: NDArray[np.float64], largest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``rows.T @ rows``, float64 (m, m), of columns rounded to fixed point; same on every BLAS.

    Parameters
    ----------
    rows : float64 (n, m), overwritten.
    largest : float64 (m,), an upper bound of each column's magnitude, the same for all blocks of one matrix.
    """
    n_bits = math.floor((_EXACT_BITS - math.log2(max(len(rows), 1))) / 2)
    exponents = np.maximum(np.frexp(largest)[1].astype(np.int64), _SMALLEST_EXPONENT)
    rows *= np.ldexp(1.0, n_bits - exponents)
    np.rint(rows, out=rows)
    scale = np.ldexp(1.0, exponents - n_bits)
    gram: NDArray[np.float64] = rows.T @ rows
    gram *= scale[:, None]
    gram *= scale
    return gram
