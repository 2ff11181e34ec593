"""A float bias a code, by slot, and the greatest of each block, by which a scan passes blocks over."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.kernels import LANES, Biases

__all__ = ["BiasStore", "check_bias", "check_bias_beside"]

_GROWTH = 1.5


class BiasStore:
    """Biases of slots 0, 1, ...; slots that were never given one have minus infinity.

    The greatest of a block counts removed codes until the index is rewritten without them: too great
    a one costs time, never a result.
    """

    def __init__(self) -> None:
        self._of_slot = np.empty(0, np.float32)
        self._of_block = np.empty(0, np.float32)

    @classmethod
    def of_all(cls, bias: NDArray[np.float32]) -> Self:
        """Return the store in which slot i has ``bias[i]``."""
        store = cls()
        store.put(bias, 0)
        return store

    @property
    def size_bytes(self) -> int:
        """Bytes of the biases, room to grow included."""
        return self._of_slot.nbytes + self._of_block.nbytes

    def put(self, bias: NDArray[np.float32], first_slot: int) -> None:
        """Set the biases of the slots from ``first_slot`` on, which are the last ones from now on."""
        end = first_slot + len(bias)
        first, last = first_slot // LANES, -(-end // LANES)
        self._reserve(last)
        self._of_slot[first_slot:end] = bias
        self._of_slot[end : last * LANES] = -np.inf  # an append that failed may have left others
        lanes = self._of_slot[first * LANES : last * LANES].reshape(-1, LANES)
        self._of_block[first:last] = lanes.max(axis=1)

    def put_at(self, bias: NDArray[np.float32], slots: NDArray[np.int64], n_blocks: int) -> None:
        """Set the biases of ``slots``, which lie in ``n_blocks`` blocks."""
        self._reserve(n_blocks)
        self._of_slot[slots] = bias
        np.maximum.at(self._of_block, slots // LANES, bias)

    def beside(self, units: NDArray[np.float64], n_blocks: int) -> Biases:
        """Return the biases of ``n_blocks`` blocks beside scores of ``units``, float64 (n_queries,)."""
        return Biases(units, self._of_slot[: n_blocks * LANES], self._of_block[:n_blocks])

    def compacted(self, slots: NDArray[np.int64]) -> Self:
        """Return a store whose slots 0, 1, ... have the biases of ``slots``."""
        return type(self).of_all(self.of(slots))

    def of(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the biases of ``slots``, float32 (len(slots),), a copy."""
        return self._of_slot[slots]

    def _reserve(self, n_blocks: int) -> None:
        capacity = len(self._of_block)
        if n_blocks <= capacity:
            return
        n_blocks = max(n_blocks, int(capacity * _GROWTH))
        of_slot = np.full(n_blocks * LANES, -np.inf, np.float32)
        of_block = np.full(n_blocks, -np.inf, np.float32)
        of_slot[: len(self._of_slot)], of_block[:capacity] = self._of_slot, self._of_block
        self._of_slot, self._of_block = of_slot, of_block


def check_bias(bias: ArrayLike, n_codes: int) -> NDArray[np.float32]:
    """Return ``bias`` as float32 (n_codes,), or raise.

    Raises
    ------
    ShapeError : not one number a code.
    InvalidInputError : not real numbers, or not finite ones as float32.
    """
    given = np.asarray(bias)
    if given.dtype.kind not in "fiu":
        raise InvalidInputError(f"bias must be real numbers; got {given.dtype}.")
    if given.shape != (n_codes,):
        raise ShapeError(f"bias must have shape ({n_codes},), one number a code; got {given.shape}.")
    with np.errstate(over="ignore"):
        converted = given.astype(np.float32)
    if not np.isfinite(converted).all():
        raise InvalidInputError("bias must be finite in float32; got NaN, infinity or a magnitude beyond 3.4e38.")
    return converted


def check_bias_beside(
    bias: ArrayLike | None, n_codes: int, *, n_held: int, has_bias: bool
) -> NDArray[np.float32] | None:
    """Return ``bias`` as float32 (n_codes,) or None, or raise unless it goes with the ``n_held`` codes of an index.

    Raises
    ------
    ShapeError, InvalidInputError : as :func:`check_bias`, or some codes would have a bias and others none.
    """
    given = None if bias is None else check_bias(bias, n_codes)
    if n_codes and n_held and (given is not None) != has_bias:
        have, came = ("a bias", "none") if has_bias else ("none", "a bias")
        raise InvalidInputError(
            f"all codes of an index have a bias or none; those in it have {have} and these came with {came}. "
            "Build a new index to change that."
        )
    return given
