"""The bit-plane layout: where a slot's bits lie, and the checks every backend relies on.

Slot ``s`` is lane ``s % 512`` of block ``s // 512``. Plane ``j`` of a block is 512 bits, eight
uint64 words: bit ``lane % 64`` of word ``lane // 64`` is bit ``j`` of that lane's code. The live
plane has the same form; a lane without its live bit is never found.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hammingway.codes import MAX_BITS
from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError

__all__ = [
    "LANES",
    "WORDS",
    "Biases",
    "check_biases",
    "check_ids",
    "check_planes",
    "check_rows",
    "check_slots",
    "check_weights",
    "count_of",
    "threads_of",
]

LANES = 512
WORDS = LANES // 64
_MOST_THREADS = 1024


class Biases(NamedTuple):
    """What is added to the score of each code.

    Parameters
    ----------
    units : float64 (n_queries,), >= 0: what a query's score of 1 is worth beside a bias.
    of_slot : float32 (n_blocks * 512,), finite where a slot is live.
    of_block : float32 (n_blocks,), no less than any bias of a live slot of the block, which is passed
        over where its best score and this do not reach the k-th best value.
    """

    units: NDArray[np.float64]
    of_slot: NDArray[np.float32]
    of_block: NDArray[np.float32]


def check_array(name: str, array: NDArray[Any], dtype: type, ndim: int) -> None:
    """Raise unless ``array`` is a C-contiguous, aligned ndarray of this dtype and number of dimensions."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        got = getattr(array, "dtype", type(array).__name__)
        raise InvalidInputError(f"{name} must be a {np.dtype(dtype).name} array; got {got}.")
    if array.ndim != ndim:
        raise ShapeError(f"{name} must have {ndim} dimensions; got shape {array.shape}.")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise InvalidInputError(f"{name} must be C-contiguous and aligned; pass {name}.copy().")


def check_biases(biases: Biases, n_queries: int, n_blocks: int) -> Biases:
    """Return ``biases``, each array C-contiguous, aligned and as long as the queries or the blocks ask for."""
    for name, dtype, n in (
        ("units", np.float64, n_queries),
        ("of_slot", np.float32, n_blocks * LANES),
        ("of_block", np.float32, n_blocks),
    ):
        array: NDArray[Any] = getattr(biases, name)
        check_array(name, array, dtype, 1)
        if len(array) != n:
            raise ShapeError(f"{name} must have shape ({n},); got {array.shape}.")
    return biases


def check_planes(planes: NDArray[np.uint64], live: NDArray[np.uint64] | None = None) -> int:
    """Return ``n_bits`` of ``planes``, uint64 (n_blocks, n_bits, 8), after checking it and ``live`` (n_blocks, 8)."""
    check_array("planes", planes, np.uint64, 3)
    n_bits = int(planes.shape[1])
    if planes.shape[2] != WORDS or not 1 <= n_bits <= MAX_BITS:
        raise ShapeError(f"planes must have shape (n_blocks, 1 to {MAX_BITS} bits, {WORDS}); got {planes.shape}.")
    if live is not None:
        check_array("live", live, np.uint64, 2)
        if live.shape != (len(planes), WORDS):
            raise ShapeError(f"live must have shape {(len(planes), WORDS)}, one plane a block; got {live.shape}.")
    return n_bits


def check_rows(name: str, packed: NDArray[np.uint8], n_bits: int) -> NDArray[np.uint8]:
    """Return packed rows, uint8 (n, ceil(n_bits / 8)), C-contiguous, their pad bits zero."""
    if not isinstance(packed, np.ndarray) or packed.dtype != np.uint8:
        got = getattr(packed, "dtype", type(packed).__name__)
        raise InvalidInputError(f"{name} must be packed codes, a uint8 array; got {got}.")
    n_bytes = -(-n_bits // 8)
    if packed.ndim != 2 or packed.shape[1] != n_bytes:
        raise CodeWidthError(f"{name} of {n_bits}-bit codes must have shape (n, {n_bytes}); got {packed.shape}.")
    if n_bits % 8 and np.any(packed[:, -1] >> (n_bits % 8)):
        raise InvalidInputError(f"{name} has a bit set past the {n_bits}th; pad bits must be 0.")
    return np.ascontiguousarray(packed)


def check_weights(weights: NDArray[np.int8], n_bits: int) -> NDArray[np.int8]:
    """Return ``weights``, int8 (n, 1 to n_bits) from -127 to 127, C-contiguous."""
    if not isinstance(weights, np.ndarray) or weights.dtype != np.int8:
        got = getattr(weights, "dtype", type(weights).__name__)
        raise InvalidInputError(f"weights must be an int8 array; got {got}.")
    if weights.ndim != 2:
        raise ShapeError(f"weights must have shape (n_queries, 1 to {n_bits}); got {weights.shape}.")
    if not 1 <= weights.shape[1] <= n_bits:
        raise CodeWidthError(f"weights of {n_bits}-bit codes must have shape (n, 1 to {n_bits}); got {weights.shape}.")
    if np.any(weights == -128):
        raise InvalidInputError("weights must lie in -127 to 127; got -128.")
    return np.ascontiguousarray(weights)


def check_slots(slots: NDArray[np.int64], n_blocks: int) -> NDArray[np.int64]:
    """Return ``slots``, int64 (n,), each inside ``n_blocks`` blocks."""
    slots = np.require(slots, requirements=["C", "A"])
    check_array("slots", slots, np.int64, 1)
    if len(slots) and not 0 <= slots.min() <= slots.max() < n_blocks * LANES:
        raise InvalidInputError(f"slots must lie in 0 to {n_blocks * LANES - 1}; got {slots.min()} to {slots.max()}.")
    return slots


def check_ids(ids: NDArray[np.int64] | None, live: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """Return ``ids``, int64 (n,), C-contiguous, after checking that every live slot has one."""
    if ids is None:
        return None
    ids = np.require(ids, requirements=["C", "A"])
    check_array("ids", ids, np.int64, 1)
    words = live.reshape(-1)[len(ids) // 64 :]
    if len(words) and (words[0] >> np.uint64(len(ids) % 64) or words[1:].any()):
        raise ShapeError(f"ids must name every live slot; there are {len(ids)} ids and a live slot after them.")
    return ids


def count_of(name: str, value: int, least: int) -> int:
    """Return ``value`` as an int, or raise if it is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInputError(f"{name} must be a whole number of at least {least}; got {value!r}.")
    return int(value)


def threads_of(n_threads: int | None) -> int:
    """Return ``n_threads``, at most 1024, or as many as the process may use cores if it is None."""
    if n_threads is not None:
        return min(count_of("n_threads", n_threads, 1), _MOST_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
