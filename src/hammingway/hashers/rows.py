"""Rows of vectors: what is accepted, what is refused, and how they become float64 block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError, NotNumericError, ShapeError
from hammingway.progress import Progress

__all__ = ["LARGEST_VALUE", "TrainingRows", "Work", "check_matrix", "float_rows"]

LARGEST_VALUE = 1e30
"""Values beyond are refused: scores are float32 and must stay finite."""

_BLOCK_ROWS = 1024  # fixed: the sums of a fit are taken block by block, in this order


def check_matrix(X: object) -> NDArray[Any]:
    """Return ``X`` as a two-dimensional real array of any numeric dtype, without copying an array or memmap.

    Raises
    ------
    ShapeError : not two-dimensional, or no features.
    NotNumericError : strings, dates, or objects that are not numbers.
    InvalidInputError : sparse, masked or complex.
    """
    if hasattr(X, "toarray"):
        raise InvalidInputError("X is a sparse matrix; hashers need a dense one, so pass X.toarray().")
    if isinstance(X, np.ma.MaskedArray):
        raise InvalidInputError("X is a masked array; fill or drop the masked values first, for example X.filled(0).")
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ShapeError(
            f"X must be a two-dimensional array of numbers; its rows differ in length ({error})."
        ) from error
    array = _numeric(array)
    if array.ndim != 2:
        raise ShapeError(
            f"X must be two-dimensional, (n_samples, n_features); got shape {array.shape}. "
            "Reshape your data: for one vector x pass x.reshape(1, -1)."
        )
    if array.shape[1] == 0:
        raise ShapeError(f"X has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    return array


def float_rows(X: NDArray[Any], rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the chosen rows of ``X`` as a fresh C-contiguous float64 array, all within ±1e30.

    Raises
    ------
    InvalidInputError : NaN, infinity or a larger value; the message says in which row of ``X``.
    """
    block = np.array(X[rows], dtype=np.float64, order="C")
    with np.errstate(all="ignore"):
        # The cheapest pass there is: a small sum of squares has no NaN, no infinity and no huge value in it.
        suspicious = not np.vdot(block, block) <= LARGEST_VALUE**2
    if suspicious:
        _refuse_bad_value(block, rows)
    return block


@dataclass
class Work:
    """Counts rows done over all passes of a fit and tells ``progress``; the total is set by the hasher."""

    progress: Progress | None
    n_rows: int = 0
    _done: int = field(default=0, init=False)

    def plan(self, n_rows: int) -> None:
        """Announce that ``n_rows`` rows will be read in all, passes counted separately."""
        self.n_rows = n_rows

    def advance(self, n_rows: int) -> None:
        """Count ``n_rows`` more rows."""
        self._done += n_rows
        if self.progress is not None:
            self.progress(self._done, max(self.n_rows, self._done))


@dataclass(frozen=True)
class TrainingRows:
    """The rows a hasher learns from: all of ``X``, or a sample of it, read in blocks and never held as floats.

    Parameters
    ----------
    X : numeric (n, n_features), possibly memory-mapped.
    indices : int64 (n_training,), sorted; None for all rows.
    """

    X: NDArray[Any]
    indices: NDArray[np.int64] | None
    work: Work

    def __len__(self) -> int:
        return len(self.X) if self.indices is None else len(self.indices)

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    def slices(self) -> Iterator[slice]:
        """Yield the places, among the training rows, of each block that :meth:`blocks` yields."""
        for start in range(0, len(self), _BLOCK_ROWS):
            yield slice(start, min(start + _BLOCK_ROWS, len(self)))

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Yield fresh float64 (<= 1024, n_features) blocks in order; the taker may overwrite them."""
        for place in self.slices():
            yield float_rows(self.X, place if self.indices is None else self.indices[place])
            self.work.advance(place.stop - place.start)


def _numeric(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "O":
        strangers = {type(value).__name__ for value in array.flat if not isinstance(value, Real)}
        if strangers:
            raise NotNumericError(
                f"X holds values of type {', '.join(sorted(strangers))}: the argument must be an array of numbers, "
                "not of strings or other objects; convert each to a number first."
            )
        return array.astype(np.float64)
    if array.dtype.kind == "c":
        raise InvalidInputError(
            "Complex data not supported: X must be real; pass np.hstack([X.real, X.imag]) to hash both parts."
        )
    if array.dtype.kind not in "fiub":
        raise NotNumericError(f"X must hold numbers (floats or integers); got dtype {array.dtype}.")
    return array


def _refuse_bad_value(block: NDArray[np.float64], rows: slice | NDArray[np.int64]) -> None:
    bad = np.argwhere(~(np.abs(block) <= LARGEST_VALUE))
    if not len(bad):
        return
    place, column = bad[0]
    row = rows.start + place if isinstance(rows, slice) else rows[place]
    value = block[place, column]
    name = "NaN" if np.isnan(value) else "infinity" if np.isinf(value) else f"{value:g}, beyond ±{LARGEST_VALUE:g},"
    raise InvalidInputError(f"X holds {name} in row {row}, column {column}; remove or repair that row first.")
