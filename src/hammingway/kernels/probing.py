"""Hash tables over codes and the searches that probe them, native or in NumPy.

A table groups the slots of an index by a key, some bits of each code; a search looks up keys near
the query's and measures the distance of what it finds. *Rows* are codes as words: uint64
(n_slots, ceil(n_bits / 64)), bit ``j`` in bit ``j % 64`` of word ``j // 64``, the rest zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hammingway.kernels import probing_twin
from hammingway.kernels.backends import choose, native_module

__all__ = [
    "MAX_KEY_BITS",
    "MAX_SLOTS",
    "Budget",
    "NativeProbing",
    "Probing",
    "Table",
    "Tabled",
    "probing",
    "words_of",
]

MAX_KEY_BITS = 64
MAX_SLOTS = 2**32 - 1


class Table(Protocol):
    """Slots grouped by key; made by :meth:`Probing.Table`."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def last(self) -> int: ...


class Tabled(NamedTuple):
    """Codes and the tables over them.

    Parameters
    ----------
    tables : made by the :class:`Probing` they are handed to.
    rows : uint64 (n_slots, n_words), the codes.
    live : uint64 (n_blocks, 8), their live planes.
    ids : int64 (>= n_slots,), what orders equal distances; the slot if None.
    """

    tables: Sequence[Any]
    rows: NDArray[np.uint64]
    live: NDArray[np.uint64]
    ids: NDArray[np.int64] | None


class Budget(NamedTuple):
    """What a probing search may cost before a scan is to take over, all in picoseconds.

    Parameters
    ----------
    probe : looking up one key.
    candidate : measuring the distance of one code that a table names.
    row : measuring the distance of one code among others that lie beside it.
    attempt : what may be spent before it is known that the search will end; once it is, as much
        again may be spent on look-ups.
    whole : what the search may cost in all.
    """

    probe: int
    candidate: int
    row: int
    attempt: int
    whole: int


class Probing(Protocol):
    """The functions of one backend, which takes no tables but its own."""

    @property
    def Table(self) -> Callable[..., Table]: ...
    @property
    def probe_top_k(self) -> Callable[..., tuple[NDArray[Any], ...]]: ...
    @property
    def probe_within(self) -> Callable[..., tuple[NDArray[Any], ...]]: ...
    @property
    def lookup_top_k(self) -> Callable[..., tuple[NDArray[Any], ...]]: ...
    @property
    def lookup_within(self) -> Callable[..., tuple[NDArray[Any], ...]]: ...


class NativeProbing:
    """The native module in the form of :mod:`hammingway.kernels.probing_twin`: it allocates the results.

    Common parameters: the codes and tables, and ``queries``, rows too. Common results, one a query:
    the radius up to which every code was compared, int32, -1 if none; buckets looked up, int64;
    codes compared, int64. Distances are -1 beside slot -1.
    """

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self.Table: Callable[..., Table] = module.Table

    def probe_top_k(
        self,
        tabled: Tabled,
        queries: NDArray[np.uint64],
        k: int,
        *,
        costs: Budget,
        n_threads: int,
    ) -> tuple[NDArray[Any], ...]:
        """Return (slots, distances, radius, probes, candidates) of the ``k`` nearest, by multi-index hashing.

        The tables have disjoint keys that together make the code. Where the search would cost more
        than ``costs`` allow, it gives up and the radius is -1.
        """
        answer = _empty_answer(len(queries), k)
        self._module.probe_top_k(*tabled, queries, *answer, *costs, n_threads)
        return answer

    def probe_within(
        self,
        tabled: Tabled,
        queries: NDArray[np.uint64],
        radius: int,
        *,
        costs: Budget,
        n_threads: int,
    ) -> tuple[NDArray[Any], ...]:
        """Return (slots, distances, offsets, radius, probes, candidates) of all within ``radius`` bits."""
        effort = _empty_effort(len(queries))
        found = self._module.probe_within(*tabled, queries, radius, *effort, *costs, n_threads)
        return *found, *effort

    def lookup_top_k(
        self,
        tabled: Tabled,
        queries: NDArray[np.uint64],
        k: int,
        *,
        weights: NDArray[np.float64] | None,
        limits: tuple[int, int, int],
        n_threads: int,
    ) -> tuple[NDArray[Any], ...]:
        """Return (slots, distances, radius, probes, candidates) of the ``k`` nearest in the buckets probed.

        The tables share one key and hold slots one after another. Keys are probed by the number of
        their flipped bits, or by the sum of the flipped bits' ``weights``, float64 (n_queries,
        key_bits), up to ``limits``: flipped bits, probes, codes compared. The search ends early
        where nothing nearer can follow.
        """
        answer = _empty_answer(len(queries), k)
        self._module.lookup_top_k(*tabled, queries, weights, *answer, *limits, n_threads)
        return answer

    def lookup_within(
        self,
        tabled: Tabled,
        queries: NDArray[np.uint64],
        radius: int,
        *,
        weights: NDArray[np.float64] | None,
        limits: tuple[int, int, int],
        n_threads: int,
    ) -> tuple[NDArray[Any], ...]:
        """Return (slots, distances, offsets, radius, probes, candidates) of what lies within ``radius`` bits."""
        effort = _empty_effort(len(queries))
        found = self._module.lookup_within(*tabled, queries, radius, weights, *effort, *limits, n_threads)
        return *found, *effort


def probing() -> Probing:
    """Return the native functions, or their NumPy twin where that is the backend in use."""
    module = None if choose().name == "numpy" else native_module()
    return probing_twin if module is None else NativeProbing(module)


def words_of(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return packed codes, uint8 (n, n_bytes), as rows, uint64 (n, ceil(n_bytes / 8)).

    Examples
    --------
    >>> words_of(np.array([[1, 2]], dtype=np.uint8))
    array([[513]], dtype=uint64)
    """
    n, n_bytes = packed.shape
    if n_bytes % 8:
        padded = np.zeros((n, -(-n_bytes // 8) * 8), np.uint8)
        padded[:, :n_bytes] = packed
        packed = padded
    return packed.view("<u8").astype(np.uint64, copy=False)


def _empty_effort(n_queries: int) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    return np.empty(n_queries, np.int32), np.empty(n_queries, np.int64), np.empty(n_queries, np.int64)


def _empty_answer(n_queries: int, k: int) -> tuple[NDArray[Any], ...]:
    slots, distances = np.empty((n_queries, k), np.int64), np.empty((n_queries, k), np.int32)
    return slots, distances, *_empty_effort(n_queries)
