"""Labels as they come: class names or numbers, or a matrix of zeros and ones."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError, NotNumericError

__all__ = ["class_labels", "indicators"]


def indicators(array: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return a matrix of zeros and ones, one column a label, as bool (n, n_labels).

    Raises
    ------
    InvalidInputError : it holds anything else.
    """
    if array.dtype.kind not in "biuf" or not np.all((array == 0) | (array == 1)):
        raise InvalidInputError("a two-dimensional y must be an indicator matrix of 0 and 1, one column a label.")
    return np.asarray(array, dtype=np.bool_)


def class_labels(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return one label a row, (n,), as integers, whole floats, booleans or strings.

    Raises
    ------
    NotNumericError : numbers and strings mixed, or other objects.
    InvalidInputError : continuous or missing labels, or dates and the like.
    """
    if array.dtype.kind == "O":
        kinds = {str if isinstance(value, str) else Real if isinstance(value, Real) else None for value in array}
        if None in kinds or len(kinds) > 1:
            raise NotNumericError("Unknown label type: y must hold numbers or strings, not a mixture or other objects.")
        array = array.astype(str if str in kinds else np.float64)
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)):
            raise InvalidInputError("y holds NaN or infinity; give every row a label, or leave the row out.")
        if np.any(array != np.rint(array)):
            raise InvalidInputError("Unknown label type: y is continuous; classes are needed, so bin the values first.")
    elif array.dtype.kind not in "biuSU":
        raise InvalidInputError(f"y must hold class labels, integers or strings; got dtype {array.dtype}.")
    return array
