"""The vectors that codes were made from, in memory or in a mapped file, looked up by id."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.ids import check_code_ids, name_some
from hammingway.indexes.file_pages import FilePages
from hammingway.indexes.slot_table import SlotTable

__all__ = ["Originals", "VectorSource"]


class VectorSource(ABC):
    """Vectors to re-rank by, wherever they lie; several threads read at once."""

    @property
    @abstractmethod
    def n_dims(self) -> int:
        """Numbers a vector."""

    @abstractmethod
    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each of ``ids``, none of them negative, int64 (m,), or raise InvalidInputError."""

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the vectors of ``rows``, ascending and distinct, float64 (m, n_dims)."""


class Originals(VectorSource):
    """Original vectors for :func:`rerank`, with what it takes to find and to decode them.

    Row ``i`` stands for ``vectors[i] * scale + offset``; quantised vectors thus need never be
    decoded as a whole.

    Parameters
    ----------
    vectors : real numbers (n, d), d >= 1, of any integer or float type, usually float32, float16
        or int8; an array or a memory map, which is not read here.
    scale : one number; or (n,) or (n, 1), one a row; or (1, d), one a column.
    offset : one number; or (1, d), one a column. Added after scaling.
    ids : integers (n,), the id of each row, as given to ``index.add``. Without ``ids`` and
        ``rows``, a row's id is its number.
    rows : the same the other way round: integers (largest id + 1,), the row of each id, -1 where
        an id has none. Give ``ids`` or ``rows``, not both.

    Raises
    ------
    ShapeError : an array of another shape than stated.
    InvalidInputError : not real numbers, a scale or offset that is not finite, ids that are negative
        or given twice, rows that do not exist, or both ``ids`` and ``rows``.

    Examples
    --------
    >>> originals = Originals(np.array([[10, -20]], np.int8), scale=0.5, ids=[77])
    >>> originals.read(originals.rows_of(np.array([77])))
    array([[  5., -10.]])
    """

    def __init__(
        self,
        vectors: ArrayLike,
        *,
        scale: ArrayLike = 1.0,
        offset: ArrayLike = 0.0,
        ids: ArrayLike | None = None,
        rows: ArrayLike | None = None,
    ) -> None:
        # asarray sees a memory map as a plain array of the same pages: nothing is read or copied.
        self.vectors: NDArray[Any] = np.asarray(vectors)
        if self.vectors.ndim != 2 or not self.vectors.shape[1]:
            raise ShapeError(f"originals must have shape (n, d), d >= 1; got {self.vectors.shape}.")
        if self.vectors.dtype.kind not in "fiu":
            raise InvalidInputError(f"originals must be integers or floats; got {self.vectors.dtype}.")
        if ids is not None and rows is not None:
            raise InvalidInputError("ids and rows say the same in two ways; give one of them.")
        self._pages = FilePages(self.vectors)
        self._scale = _factor(scale, "scale", self.vectors.shape, a_row=True)
        self._offset = _factor(offset, "offset", self.vectors.shape, a_row=False)
        self._ids = None if ids is None else check_code_ids(ids, len(self))
        self._table = None if self._ids is None else SlotTable(self._ids)
        self._rows = None if rows is None else _checked_rows(rows, len(self))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def n_dims(self) -> int:
        """Numbers a vector."""
        return int(self.vectors.shape[1])

    @classmethod
    def from_int8_ranges(cls, vectors: NDArray[np.int8], ranges: ArrayLike, **found_by: ArrayLike | None) -> Originals:
        """Return originals of sentence-transformers' ``int8`` precision.

        Parameters
        ----------
        vectors : int8 (n, d), from ``quantize_embeddings(..., precision="int8")``.
        ranges : (2, d), the least and the greatest value of each dimension, as handed to that call.
        **found_by : ``ids`` or ``rows``, as for the class.

        Raises
        ------
        ShapeError, InvalidInputError : as for the class; or not int8, or not such ranges.

        Examples
        --------
        >>> stored = np.array([[-128, 127]], np.int8)
        >>> Originals.from_int8_ranges(stored, [[-1.0, -2.0], [1.0, 2.0]]).read(np.array([0]))
        array([[-1.,  2.]])
        """
        if np.asarray(vectors).dtype != np.int8:
            raise InvalidInputError(f"vectors of int8 precision must be int8; got {np.asarray(vectors).dtype}.")
        low_high = np.asarray(ranges, np.float64)
        if low_high.ndim != 2 or len(low_high) != 2:
            raise ShapeError(f"ranges must have shape (2, d), least and greatest values; got {low_high.shape}.")
        # quantize_embeddings stores (x - low) / step - 128 with step = (high - low) / 255.
        step = (low_high[1:] - low_high[:1]) / 255
        return cls(vectors, scale=step, offset=low_high[:1] + 128 * step, **found_by)

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each of ``ids``, int64 (m,), none negative.

        Raises
        ------
        InvalidInputError : an id without a row.
        """
        if self._table is not None and self._ids is not None:
            rows = self._table.find(ids, self._ids)
        elif self._rows is not None:
            rows = np.full(len(ids), -1, np.int64)
            known = ids < len(self._rows)
            rows[known] = self._rows[ids[known]]
        else:
            rows = np.where(ids < len(self), ids, -1)
        unknown = ids[rows < 0]
        if unknown.size:
            raise InvalidInputError(
                f"{name_some(np.unique(unknown))} without an original among the {len(self)} given; "
                "say which row holds which id by Originals(vectors, ids=...)."
            )
        return rows

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the vectors of ``rows``, decoded, float64 (m, d); these rows are all that is read."""
        self._pages.fetch(rows)
        block = self.vectors.take(rows, axis=0).astype(np.float64)
        if self._scale is not None:
            block *= self._scale[rows] if self._scale.ndim == 2 else self._scale
        if self._offset is not None:
            block += self._offset
        return block


def _factor(given: ArrayLike, name: str, shape: tuple[int, ...], *, a_row: bool) -> NDArray[np.float64] | None:
    """Return ``given`` as (), (n, 1) or (d,), or None where it changes nothing."""
    factor = np.asarray(given, np.float64)
    if not np.all(np.isfinite(factor)):
        raise InvalidInputError(f"{name} must be finite; got NaN or infinity among {factor.size} values.")
    if not factor.ndim:
        return None if factor == (1.0 if a_row else 0.0) else factor
    n, d = shape
    if a_row and factor.shape in ((n,), (n, 1)):
        return factor.reshape(n, 1)
    if factor.shape == (1, d):
        return factor.reshape(d)
    shapes = f"({n},) for one a row, (1, {d}) for one a column" if a_row else f"(1, {d}) for one a column"
    raise ShapeError(f"{name} must be one number, or have shape {shapes}; got {factor.shape}.")


def _checked_rows(given: ArrayLike, n: int) -> NDArray[np.int64]:
    rows = np.asarray(given)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ShapeError(f"rows must be integers of shape (largest id + 1,); got {rows.dtype} {rows.shape}.")
    if rows.size and (int(rows.min()) < -1 or int(rows.max()) >= n):
        raise InvalidInputError(f"rows must lie from -1 to {n - 1}; got {rows.min()} to {rows.max()}.")
    return rows.astype(np.int64)
