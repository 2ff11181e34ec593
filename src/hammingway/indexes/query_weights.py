"""Float query scores as small integers: what an asymmetric search ranks by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError

__all__ = ["check_prefix", "check_scores", "quantize_scores"]

_LARGEST = {4: 7, 8: 127}
_TOO_LARGE = 1e300  # sums of 4096 smaller numbers stay finite


def check_prefix(prefix_bits: object, n_bits: int) -> int:
    """Return how many bits are scored, ``n_bits`` for None, or raise InvalidInputError unless it is 1 to ``n_bits``."""
    if prefix_bits is None:
        return n_bits
    if isinstance(prefix_bits, bool) or not isinstance(prefix_bits, int | np.integer):
        raise InvalidInputError(f"prefix_bits must be a whole number; got {prefix_bits!r}.")
    if not 1 <= prefix_bits <= n_bits:
        raise InvalidInputError(f"prefix_bits must lie in 1 to {n_bits}; got {prefix_bits}.")
    return int(prefix_bits)


def check_scores(scores: ArrayLike, n_bits: int) -> NDArray[np.float64]:
    """Return ``scores`` as float64 (n, n_bits), or raise.

    Raises
    ------
    ShapeError : not two-dimensional.
    CodeWidthError : not ``n_bits`` columns.
    InvalidInputError : not real numbers, not finite ones, or so large (1e300) that their sum need not be.
    """
    given = np.asarray(scores)
    if given.dtype.kind not in "fiu":
        raise InvalidInputError(f"scores must be real numbers, as hasher.project returns them; got {given.dtype}.")
    if given.ndim != 2:
        raise ShapeError(f"scores must have shape (n_queries, {n_bits}), one row a query; got {given.shape}.")
    if given.shape[1] != n_bits:
        raise CodeWidthError(
            f"scores have {given.shape[1]} columns; this search takes {n_bits}, one a bit. "
            "Project the queries with the hasher that built the index."
        )
    with np.errstate(over="ignore"):  # of a wider float, which becomes infinite
        converted = given.astype(np.float64)
    if not np.isfinite(converted).all():
        raise InvalidInputError("scores must be finite; got NaN or infinity. Check the queries.")
    if np.abs(converted).max(initial=0) >= _TOO_LARGE:
        raise InvalidInputError(
            "scores must be less than 1e300 in magnitude, so that sums are finite; scale them down."
        )
    return converted


def quantize_scores(scores: NDArray[np.float64], query_bits: int) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Return each query's scores as signed integers of ``query_bits`` bits, and what one unit is worth.

    A row is scaled so that its greatest magnitude becomes 7 (4 bits) or 127 (8 bits) and rounded to
    the nearest integer, halves to even. The error of a code's score is at most ``n_bits / 2`` units.

    Parameters
    ----------
    scores : float64 (n_queries, n_bits), finite.
    query_bits : 4 or 8.

    Returns
    -------
    weights : int8 (n_queries, n_bits), -7 to 7 or -127 to 127.
    units : float64 (n_queries,), >= 0; ``weights * units[:, None]`` approximates ``scores``.

    Raises
    ------
    InvalidInputError : ``query_bits`` is neither 4 nor 8.

    Examples
    --------
    >>> quantize_scores(np.array([[0.5, -1.0, 0.1]]), 4)
    (array([[ 4, -7,  1]], dtype=int8), array([0.14285714]))
    """
    if not isinstance(query_bits, int | np.integer) or query_bits not in _LARGEST:
        raise InvalidInputError(f"query_bits must be 4 or 8; got {query_bits!r}.")
    largest = _LARGEST[query_bits]
    peaks = np.abs(scores).max(axis=1, initial=0.0)
    # Dividing by the peak first keeps every magnitude at most 1, also where the unit is subnormal.
    relative = scores / np.where(peaks > 0, peaks, 1.0)[:, None]
    return np.rint(relative * largest).astype(np.int8), peaks / largest
