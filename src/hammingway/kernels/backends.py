"""Choosing a backend, and checking arguments once before any of them runs."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError, UnknownNameError
from hammingway.kernels import numpy_twin
from hammingway.kernels.layout import (
    LANES,
    Biases,
    check_biases,
    check_ids,
    check_planes,
    check_rows,
    check_slots,
    check_weights,
    count_of,
    threads_of,
)
from hammingway.kernels.native import NativeTable

__all__ = ["Kernels", "available", "backend", "choose", "info"]


class Table(Protocol):
    """The functions of one backend, arguments already checked."""

    @property
    def write_rows(self) -> Callable[..., None]: ...
    @property
    def read_rows(self) -> Callable[..., NDArray[np.uint8]]: ...
    @property
    def top_k(self) -> Callable[..., tuple[NDArray[np.int64], NDArray[np.int32]]]: ...
    @property
    def top_k_asymmetric(self) -> Callable[..., tuple[NDArray[np.int64], NDArray[np.int32]]]: ...
    @property
    def top_k_biased(self) -> Callable[..., tuple[NDArray[np.int64], NDArray[np.float64]]]: ...
    @property
    def within(self) -> Callable[..., tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]]: ...
    @property
    def pairwise(self) -> Callable[..., NDArray[np.uint16]]: ...


class Kernels:
    """The bit-plane functions over one backend; arguments are checked here, once.

    ``n_threads`` is the number of threads, every core the process may use if None; results never
    depend on it.
    """

    def __init__(self, name: str, table: Table) -> None:
        self.name = name
        self._table = table

    def __repr__(self) -> str:
        return f"Kernels({self.name!r})"

    def write_rows(
        self, planes: NDArray[np.uint64], live: NDArray[np.uint64], packed: NDArray[np.uint8], start: int
    ) -> None:
        """Transpose packed codes into consecutive slots, overwriting what was there, and mark them live.

        Parameters
        ----------
        planes : uint64 (n_blocks, n_bits, 8), C-contiguous and writable; changed in place.
        live : uint64 (n_blocks, 8), C-contiguous and writable; changed in place.
        packed : uint8 (n, ceil(n_bits / 8)).
        start : slot of the first row; ``start + n`` slots must exist.

        Raises
        ------
        InvalidInputError : wrong dtype, not contiguous, read-only, or past the last slot.
        ShapeError : wrong shape (``CodeWidthError`` for the width of ``packed``).
        """
        n_bits = check_planes(planes, live)
        packed = check_rows("packed", packed, n_bits)
        start = count_of("start", start, 0)
        if not (planes.flags.writeable and live.flags.writeable):
            raise InvalidInputError("planes and live are changed in place and must be writable; pass copies.")
        if start + len(packed) > len(planes) * LANES:
            raise InvalidInputError(
                f"{len(packed)} rows from slot {start} do not fit in {len(planes) * LANES} slots; add blocks first."
            )
        self._table.write_rows(planes, live, packed, start)

    def read_rows(self, planes: NDArray[np.uint64], slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the codes in ``slots``, int64 (n,), as packed uint8 (n, ceil(n_bits / 8)); live or not.

        Raises
        ------
        InvalidInputError : a slot past the last block, or a wrong dtype.
        """
        check_planes(planes)
        return self._table.read_rows(planes, check_slots(slots, len(planes)))

    def top_k(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        queries: NDArray[np.uint8],
        k: int,
        *,
        ids: NDArray[np.int64] | None = None,
        n_threads: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the ``k`` live slots nearest to each query in Hamming distance, exactly.

        Parameters
        ----------
        planes, live : the database, uint64 (n_blocks, n_bits, 8) and (n_blocks, 8), C-contiguous.
        queries : uint8 (n_queries, ceil(n_bits / 8)), packed codes.
        k : neighbours a query, >= 1; may exceed the number of codes.
        ids : int64 (>= last live slot + 1,), what orders equal distances; the slot if not given.

        Returns
        -------
        slots : int64 (n_queries, k), sorted by (distance, id); -1 where fewer than k codes live.
        distances : int32 (n_queries, k), in bits; ``n_bits + 1`` beside slot -1.

        Raises
        ------
        InvalidInputError : ``k`` below 1, a wrong dtype, or an array that is not contiguous.
        ShapeError : a wrong shape (``CodeWidthError`` for the width of ``queries``).
        """
        n_bits = check_planes(planes, live)
        queries = check_rows("queries", queries, n_bits)
        k = count_of("k", k, 1)
        ids = check_ids(ids, live)
        return self._table.top_k(planes, live, queries, k, ids=ids, n_threads=threads_of(n_threads))

    def top_k_asymmetric(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        weights: NDArray[np.int8],
        k: int,
        *,
        ids: NDArray[np.int64] | None = None,
        n_threads: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the ``k`` live slots whose codes, read as -1 and +1, have the greatest inner products with each query.

        Parameters
        ----------
        planes, live : the database, uint64 (n_blocks, n_bits, 8) and (n_blocks, 8), C-contiguous.
        weights : int8 (n_queries, m), -127 to 127, m from 1 to n_bits; with fewer than n_bits, the
            first m bits of the codes are scored.
        k : results a query, >= 1; may exceed the number of codes.
        ids : int64 (>= last live slot + 1,), what orders equal scores; the slot if not given.

        Returns
        -------
        slots : int64 (n_queries, k), sorted by (-score, id); -1 where fewer than k codes live.
        scores : int32 (n_queries, k), exactly the sum of +weight over set bits and -weight over the
            others; -2^31 beside slot -1.

        Raises
        ------
        InvalidInputError : ``k`` below 1, a weight of -128, a wrong dtype, or an array that is not contiguous.
        ShapeError : a wrong shape (``CodeWidthError`` for the width of ``weights``).
        """
        n_bits = check_planes(planes, live)
        weights = check_weights(weights, n_bits)
        k = count_of("k", k, 1)
        ids = check_ids(ids, live)
        return self._table.top_k_asymmetric(planes, live, weights, k, ids=ids, n_threads=threads_of(n_threads))

    def top_k_biased(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        weights: NDArray[np.int8],
        k: int,
        *,
        biases: Biases,
        ids: NDArray[np.int64] | None = None,
        n_threads: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the ``k`` live slots of the greatest ``score * unit + bias``, score as in :meth:`top_k_asymmetric`.

        Parameters
        ----------
        planes, live, weights, k, ids : as for :meth:`top_k_asymmetric`.
        biases : their arrays as long as the queries and the blocks ask for; unit and bias are those.

        Returns
        -------
        slots : int64 (n_queries, k), sorted by (-value, id); -1 where fewer than k codes live.
        values : float64 (n_queries, k), product and sum each rounded once; minus infinity beside slot -1.

        Raises
        ------
        InvalidInputError, ShapeError : as for :meth:`top_k_asymmetric`.
        """
        weights = check_weights(weights, check_planes(planes, live))
        biases = check_biases(biases, len(weights), len(planes))
        k, ids, n_threads = count_of("k", k, 1), check_ids(ids, live), threads_of(n_threads)
        return self._table.top_k_biased(planes, live, weights, k, biases=biases, ids=ids, n_threads=n_threads)

    def within(
        self,
        planes: NDArray[np.uint64],
        live: NDArray[np.uint64],
        queries: NDArray[np.uint8],
        radius: int,
        *,
        ids: NDArray[np.int64] | None = None,
        n_threads: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Return every live slot at a Hamming distance of at most ``radius`` from each query.

        Parameters are those of :meth:`top_k`, with ``radius`` >= 0 in bits, inclusive (faiss's is not).

        Returns
        -------
        slots : int64 (n_found,), each query's sorted by (distance, id), one query after another.
        distances : int32 (n_found,), in bits.
        offsets : int64 (n_queries + 1,); query ``i`` owns ``slots[offsets[i]:offsets[i + 1]]``.
        """
        n_bits = check_planes(planes, live)
        queries = check_rows("queries", queries, n_bits)
        radius = min(count_of("radius", radius, 0), n_bits)
        ids = check_ids(ids, live)
        return self._table.within(planes, live, queries, radius, ids=ids, n_threads=threads_of(n_threads))

    def pairwise(
        self, queries: NDArray[np.uint8], database: NDArray[np.uint8], *, n_threads: int | None = None
    ) -> NDArray[np.uint16]:
        """Return all Hamming distances between packed rows, uint16 (n_queries, n), in bits.

        Raises
        ------
        InvalidInputError : a wrong dtype.
        CodeWidthError : the rows differ in their number of bytes, or have none or over 512.

        Examples
        --------
        >>> from hammingway import kernels
        >>> kernels.pairwise(np.array([[7]], dtype=np.uint8), np.array([[7], [0]], dtype=np.uint8))
        array([[0, 3]], dtype=uint16)
        """
        for name, rows in (("queries", queries), ("database", database)):
            if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8:
                raise InvalidInputError(
                    f"{name} must be packed codes, a uint8 array; got {getattr(rows, 'dtype', rows)!r}."
                )
            if rows.ndim != 2:
                raise ShapeError(f"{name} must have shape (n, n_bytes); got {rows.shape}.")
        if queries.shape[1] != database.shape[1] or not 1 <= queries.shape[1] <= 512:
            raise CodeWidthError(
                f"queries and database must have the same 1 to 512 bytes a row; got {queries.shape[1]} and "
                f"{database.shape[1]}."
            )
        return self._table.pairwise(
            np.ascontiguousarray(queries), np.ascontiguousarray(database), n_threads=threads_of(n_threads)
        )


@cache
def native_module() -> ModuleType | None:
    """Return the compiled module, or None (with a warning, once) where it cannot be imported."""
    try:
        return import_module("hammingway._native")
    except ImportError as failure:
        warnings.warn(
            f"hammingway's native kernel cannot be imported ({failure}), so searches run in NumPy, 10 to 1000 times "
            "slower; reinstall the package, or set HAMMINGWAY_SIMD=numpy to choose this and silence the warning.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


def available() -> list[str]:
    """Return the backends that can run here, fastest first; "numpy" is always the last."""
    module = native_module()
    return [*(module.available() if module else []), "numpy"]


def backend(name: str) -> Kernels:
    """Return the functions of the backend called ``name``.

    Raises
    ------
    UnknownNameError : it does not exist or cannot run on this machine; the message lists those that can.
    """
    if name == "numpy":
        return Kernels(name, numpy_twin)
    module = native_module()
    if module is None or name not in available():
        raise UnknownNameError(
            f"No kernel backend {name!r} can run here; available are {', '.join(available())} (HAMMINGWAY_SIMD chooses "
            "one; unset it for the fastest)."
        )
    return Kernels(name, NativeTable(module, name))


def choose() -> Kernels:
    """Return the backend that ``HAMMINGWAY_SIMD`` names, or the fastest one."""
    return backend(os.environ.get("HAMMINGWAY_SIMD") or available()[0])


def info() -> dict[str, Any]:
    """Return what is known of the kernel.

    Returns
    -------
    info : dict with ``backend`` (the one in use), ``available`` (names, fastest first), ``machine``,
        ``cpu_features`` (those a scan could use), ``threads`` (cores the process may use) and
        ``compiler`` (None for the NumPy twin alone).
    """
    forced = os.environ.get("HAMMINGWAY_SIMD") == "numpy"
    module = None if forced else native_module()
    return {
        "backend": choose().name,
        "available": ["numpy"] if forced else available(),
        "machine": platform.machine(),
        "cpu_features": module.cpu_features() if module else [],
        "threads": threads_of(None),
        "compiler": module.COMPILER if module else None,
    }
