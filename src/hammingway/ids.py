"""The numbers that name codes: one check for every place that takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError

__all__ = ["MAX_ID", "check_code_ids", "check_ids", "distinct", "is_id", "name_some"]

MAX_ID = int(np.iinfo(np.int64).max)


def check_ids(ids: ArrayLike) -> NDArray[np.int64]:
    """Return ``ids`` as int64 (n,), or raise if they are not whole numbers from 0 to 2^63 - 1.

    Raises
    ------
    ShapeError : not one-dimensional.
    InvalidInputError : not integers (bool is not one), or out of range.

    Examples
    --------
    >>> check_ids([3, 1])
    array([3, 1])
    """
    array = np.asarray(ids)
    if array.ndim != 1:
        raise ShapeError(f"ids must have shape (n,); got {array.shape}.")
    if not array.size:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        raise InvalidInputError(f"ids must be integers; got {array.dtype}.")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > MAX_ID:
        raise InvalidInputError(f"ids must lie from 0 to {MAX_ID}; got {low if low < 0 else high}.")
    return np.ascontiguousarray(array, dtype=np.int64)


def check_code_ids(ids: ArrayLike, n_codes: int) -> NDArray[np.int64]:
    """Return ``ids`` as int64 (n_codes,), or raise if they are not as many, distinct ids.

    Raises
    ------
    ShapeError : not one id a code.
    InvalidInputError : not integers, out of range, or given twice.

    Examples
    --------
    >>> check_code_ids([4, 2], n_codes=2)
    array([4, 2])
    """
    checked = check_ids(ids)
    if len(checked) != n_codes:
        raise ShapeError(f"{n_codes} codes need {n_codes} ids; got {len(checked)}.")
    ordered = np.sort(checked)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if repeated.size:
        raise InvalidInputError(f"ids must be distinct; {name_some(distinct(repeated))} given more than once.")
    return checked


def is_id(value: object) -> bool:
    """Return whether ``value`` is a whole number from 0 to 2^63 - 1; a bool is none.

    Examples
    --------
    >>> is_id(3), is_id(-1), is_id("3")
    (True, False, False)
    """
    return not isinstance(value, bool) and isinstance(value, int | np.integer) and 0 <= int(value) <= MAX_ID


def distinct(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each id once, ascending; by sorting, which beats numpy.unique's hash table on many ids.

    Examples
    --------
    >>> distinct(np.array([4, 2, 4]))
    array([2, 4])
    """
    ordered = np.sort(ids)
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def name_some(ids: NDArray[np.int64], *, n_named: int = 5) -> str:
    """Return a few of ``ids`` and how many there are, as the subject of an error message.

    Examples
    --------
    >>> name_some(np.array([7]))
    'id 7'
    >>> name_some(np.arange(10, 20), n_named=2)
    'ids 10, 11 and 8 more'
    """
    listed = ", ".join(str(number) for number in ids[:n_named])
    rest = len(ids) - n_named
    return f"id{'s' if len(ids) != 1 else ''} {listed}" + (f" and {rest} more" if rest > 0 else "")
