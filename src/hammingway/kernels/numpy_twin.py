"""The kernel in plain NumPy: the oracle the native backends are tested against, and their stand-in.

Every function reads as the definition of what the native one must return. The native module is
10 to 1000 times as fast; nothing here is meant to be.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hammingway.kernels.layout import LANES, WORDS, Biases

__all__ = ["pairwise", "read_rows", "top_k", "top_k_asymmetric", "top_k_biased", "within", "write_rows"]

_CHUNK_BYTES = 32 << 20


def write_rows(planes: NDArray[np.uint64], live: NDArray[np.uint64], packed: NDArray[np.uint8], start: int) -> None:
    """Transpose ``packed``, uint8 (n, n_bytes), into the slots from ``start`` and mark them live."""
    n_bits = planes.shape[1]
    slots = np.arange(start, start + len(packed))
    for block in np.unique(slots // LANES):
        mine = slots // LANES == block
        lanes = slots[mine] % LANES
        bits = _unpack_words(planes[block])
        bits[:, lanes] = np.unpackbits(packed[mine], axis=1, count=n_bits, bitorder="little").T
        planes[block] = _pack_words(bits)
        alive = _unpack_words(live[block])
        alive[lanes] = 1
        live[block] = _pack_words(alive)


def read_rows(planes: NDArray[np.uint64], slots: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the codes in ``slots``, packed uint8 (len(slots), n_bytes)."""
    lanes = slots % LANES
    words = planes[slots // LANES, :, lanes // 64]
    bits = (words >> (lanes % 64).astype(np.uint64)[:, None]) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")


def top_k(
    planes: NDArray[np.uint64],
    live: NDArray[np.uint64],
    queries: NDArray[np.uint8],
    k: int,
    *,
    ids: NDArray[np.int64] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the ``k`` nearest live slots of each query and their distances; see :func:`hammingway.kernels.top_k`."""
    present, rows, keys = _live_rows(planes, live, ids)
    slots = np.full((len(queries), k), -1, dtype=np.int64)
    distances = np.full((len(queries), k), planes.shape[1] + 1, dtype=np.int32)
    found = min(k, len(present))
    for i, query in enumerate(queries):
        row = pairwise(query[None], rows)[0]
        best = np.lexsort((present, keys, row))[:k]
        slots[i, :found], distances[i, :found] = present[best], row[best]
    return slots, distances


def top_k_asymmetric(
    planes: NDArray[np.uint64],
    live: NDArray[np.uint64],
    weights: NDArray[np.int8],
    k: int,
    *,
    ids: NDArray[np.int64] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the ``k`` live slots of the greatest weighted sums; see :func:`hammingway.kernels.top_k_asymmetric`."""
    present, rows, keys = _live_rows(planes, live, ids)
    slots = np.full((len(weights), k), -1, dtype=np.int64)
    scores = np.full((len(weights), k), np.iinfo(np.int32).min, dtype=np.int32)
    found = min(k, len(present))
    for i, row in enumerate(_weighted_sums(rows, weights)):
        best = np.lexsort((present, keys, -row))[:k]
        slots[i, :found], scores[i, :found] = present[best], row[best]
    return slots, scores


def top_k_biased(
    planes: NDArray[np.uint64],
    live: NDArray[np.uint64],
    weights: NDArray[np.int8],
    k: int,
    *,
    biases: Biases,
    ids: NDArray[np.int64] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ``k`` live slots of the greatest biased sums; see :func:`hammingway.kernels.top_k_biased`."""
    present, rows, keys = _live_rows(planes, live, ids)
    slots = np.full((len(weights), k), -1, dtype=np.int64)
    values = np.full((len(weights), k), -np.inf)
    found = min(k, len(present))
    added = biases.of_slot[present].astype(np.float64)
    for i, row in enumerate(_weighted_sums(rows, weights)):
        with np.errstate(over="ignore"):  # infinity, as in the native module
            value = row.astype(np.float64) * biases.units[i] + added
        best = np.lexsort((present, keys, -value))[:k]
        slots[i, :found], values[i, :found] = present[best], value[best]
    return slots, values


def _weighted_sums(rows: NDArray[np.uint8], weights: NDArray[np.int8]) -> Iterator[NDArray[np.float32]]:
    """Yield each query's sums of +weight over set bits and -weight over the others, float32 (len(rows),)."""
    bits = np.unpackbits(rows, axis=1, count=weights.shape[1], bitorder="little")
    signs = bits.astype(np.float32) * 2 - 1
    for query in weights:
        yield signs @ query.astype(np.float32)  # exact: no sum of 4096 such weights reaches 2^24


def within(
    planes: NDArray[np.uint64],
    live: NDArray[np.uint64],
    queries: NDArray[np.uint8],
    radius: int,
    *,
    ids: NDArray[np.int64] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return all live slots within ``radius`` of each query; see :func:`hammingway.kernels.within`."""
    present, rows, keys = _live_rows(planes, live, ids)
    slots, distances = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
    offsets = np.zeros(len(queries) + 1, dtype=np.int64)
    for i, query in enumerate(queries):
        row = pairwise(query[None], rows)[0].astype(np.int32)
        order = np.lexsort((present, keys, row))
        order = order[row[order] <= radius]
        slots.append(present[order])
        distances.append(row[order])
        offsets[i + 1] = offsets[i] + len(order)
    return np.concatenate(slots), np.concatenate(distances), offsets


def pairwise(
    queries: NDArray[np.uint8], database: NDArray[np.uint8], *, n_threads: int | None = None
) -> NDArray[np.uint16]:
    """Return the Hamming distances of packed rows, uint16 (n_queries, n)."""
    distances = np.empty((len(queries), len(database)), dtype=np.uint16)
    step = max(1, _CHUNK_BYTES // max(1, database.nbytes))
    for i in range(0, len(queries), step):
        different = queries[i : i + step, None, :] ^ database[None, :, :]
        distances[i : i + step] = np.bitwise_count(different).sum(axis=2, dtype=np.uint16)
    return distances


def _live_rows(
    planes: NDArray[np.uint64], live: NDArray[np.uint64], ids: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """Return the live slots, their packed codes and the keys that order equal distances."""
    present = np.flatnonzero(_unpack_words(live.reshape(-1)))
    return present, read_rows(planes, present), present if ids is None else ids[present]


def _unpack_words(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the bits of little-endian words, uint8 (..., n_words * 64)."""
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")


def _pack_words(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return bits (..., 512) as words (..., 8)."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return packed.view("<u8").astype(np.uint64).reshape(*bits.shape[:-1], WORDS)
