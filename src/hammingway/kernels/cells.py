"""Search in some cells of an index, native or in NumPy: each query scans the blocks of the cells it visits.

A cell owns blocks; a query names the cells it visits, the most promising first. Queries of a batch
that visit one cell scan it together, and each has one limit over all its cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hammingway.kernels import numpy_twin
from hammingway.kernels.backends import choose, native_module
from hammingway.kernels.layout import Biases
from hammingway.kernels.native import joined_ranges
from hammingway.progress import row_chunks

__all__ = ["CellScan", "Celled", "NativeCellScan", "TwinCellScan", "cell_scan"]

_WORDS_A_CALL = 2**31  # planes times queries, in words: Ctrl-C is only seen between calls
_LEAST_QUERIES = 128  # of a call, however many words they take

TopK = tuple[NDArray[np.int64], NDArray[np.int32]]
Within = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]


class Celled(NamedTuple):
    """Codes in blocks, and which blocks make up each cell.

    Parameters
    ----------
    planes, live : uint64 (n_blocks, n_bits, 8) and (n_blocks, 8), C-contiguous.
    ids : int64 (>= n_blocks * 512,), what orders equal distances.
    blocks : int64 (n_listed,), the blocks of cell 0, then those of cell 1, ...; each at most once.
    offsets : int64 (n_cells + 1,); cell ``c`` owns ``blocks[offsets[c]:offsets[c + 1]]``.
    """

    planes: NDArray[np.uint64]
    live: NDArray[np.uint64]
    ids: NDArray[np.int64]
    blocks: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def words_visited(self, visits: NDArray[np.int64]) -> int:
        """Return how many words of planes all ``visits`` read."""
        n_blocks = int(np.diff(self.offsets)[visits[visits >= 0]].sum())
        return n_blocks * self.planes[0].size if n_blocks else 0


class CellScan(Protocol):
    """The functions of one backend.

    Common parameters: ``visits``, int64 (n_queries, n_probe), cells distinct in a row, -1 ends a row
    early; queries packed uint8 (n_queries, n_bytes), or weights int8 (n_queries, 1 to n_bits), -127
    to 127; ``biases`` of all blocks. Results are those of :class:`hammingway.kernels.backends.Kernels` over the
    visited blocks.
    """

    def top_k(
        self, celled: Celled, queries: NDArray[np.uint8], k: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> TopK: ...
    def within(
        self, celled: Celled, queries: NDArray[np.uint8], radius: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> Within: ...
    def top_k_asymmetric(
        self, celled: Celled, weights: NDArray[np.int8], k: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> TopK: ...
    def top_k_biased(
        self,
        celled: Celled,
        weights: NDArray[np.int8],
        k: int,
        *,
        biases: Biases,
        visits: NDArray[np.int64],
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...


class NativeCellScan:
    """The native module: it allocates the results, and lets Ctrl-C through now and then."""

    def __init__(self, module: ModuleType, isa: str) -> None:
        self._module = module
        self._isa = isa

    def top_k(
        self, celled: Celled, queries: NDArray[np.uint8], k: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> TopK:
        """Find the k nearest; see :class:`CellScan`."""
        slots, distances = _empty(len(queries), k)
        for part in _parts(celled, visits):
            arrays = queries[part], visits[part], slots[part], distances[part]
            self._module.top_k_in_cells(self._isa, *celled, *arrays, n_threads)
        return slots, distances

    def within(
        self, celled: Celled, queries: NDArray[np.uint8], radius: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> Within:
        """Find all within a radius; see :class:`CellScan`."""
        return joined_ranges(
            [
                self._module.within_in_cells(self._isa, *celled, queries[part], visits[part], radius, n_threads)
                for part in _parts(celled, visits)
            ]
        )

    def top_k_asymmetric(
        self, celled: Celled, weights: NDArray[np.int8], k: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> TopK:
        """Find the k greatest weighted sums; see :class:`CellScan`."""
        slots, scores = _empty(len(weights), k)
        for part in _parts(celled, visits):
            arrays = weights[part], visits[part], slots[part], scores[part]
            self._module.top_k_asymmetric_in_cells(self._isa, *celled, *arrays, n_threads)
        return slots, scores

    def top_k_biased(
        self,
        celled: Celled,
        weights: NDArray[np.int8],
        k: int,
        *,
        biases: Biases,
        visits: NDArray[np.int64],
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the k greatest biased sums; see :class:`CellScan`."""
        slots, values = np.empty((len(weights), k), np.int64), np.empty((len(weights), k))
        for part in _parts(celled, visits):
            added = biases._replace(units=biases.units[part])
            arrays = weights[part], *added, visits[part], slots[part], values[part]
            self._module.top_k_biased_in_cells(self._isa, *celled, *arrays, n_threads)
        return slots, values


class TwinCellScan:
    """The same in plain NumPy: each query by itself, all blocks it does not visit taken for dead."""

    def top_k(
        self, celled: Celled, queries: NDArray[np.uint8], k: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> TopK:
        """Find the k nearest; see :class:`CellScan`."""
        slots, distances = _empty(len(queries), k)
        for row, live in _visited(celled, visits):
            one = queries[row : row + 1]
            slots[row], distances[row] = numpy_twin.top_k(celled.planes, live, one, k, ids=celled.ids)
        return slots, distances

    def within(
        self, celled: Celled, queries: NDArray[np.uint8], radius: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> Within:
        """Find all within a radius; see :class:`CellScan`."""
        return joined_ranges(
            [
                numpy_twin.within(celled.planes, live, queries[row : row + 1], radius, ids=celled.ids)
                for row, live in _visited(celled, visits)
            ]
        )

    def top_k_asymmetric(
        self, celled: Celled, weights: NDArray[np.int8], k: int, *, visits: NDArray[np.int64], n_threads: int
    ) -> TopK:
        """Find the k greatest weighted sums; see :class:`CellScan`."""
        slots, scores = _empty(len(weights), k)
        for row, live in _visited(celled, visits):
            one = weights[row : row + 1]
            slots[row], scores[row] = numpy_twin.top_k_asymmetric(celled.planes, live, one, k, ids=celled.ids)
        return slots, scores

    def top_k_biased(
        self,
        celled: Celled,
        weights: NDArray[np.int8],
        k: int,
        *,
        biases: Biases,
        visits: NDArray[np.int64],
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the k greatest biased sums; see :class:`CellScan`."""
        slots, values = np.empty((len(weights), k), np.int64), np.empty((len(weights), k))
        for row, live in _visited(celled, visits):
            one, added = weights[row : row + 1], biases._replace(units=biases.units[row : row + 1])
            slots[row], values[row] = numpy_twin.top_k_biased(celled.planes, live, one, k, biases=added, ids=celled.ids)
        return slots, values


def cell_scan() -> CellScan:
    """Return the native functions, or their NumPy twin where that is the backend in use."""
    name = choose().name
    module = None if name == "numpy" else native_module()
    return TwinCellScan() if module is None else NativeCellScan(module, name)


def _visited(celled: Celled, visits: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """Yield each query's number and the live planes of its cells."""
    for row, cells in enumerate(visits):
        live = np.zeros_like(celled.live)
        for cell in cells[cells >= 0]:
            mine = celled.blocks[celled.offsets[cell] : celled.offsets[cell + 1]]
            live[mine] = celled.live[mine]
        yield row, live


def _parts(celled: Celled, visits: NDArray[np.int64]) -> Iterator[slice]:
    if len(visits) <= _LEAST_QUERIES:
        return iter([slice(0, len(visits))])
    words_a_query = max(1, celled.words_visited(visits) // len(visits))
    return row_chunks(len(visits), max(_LEAST_QUERIES, _WORDS_A_CALL // words_a_query))


def _empty(n_queries: int, k: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    return np.empty((n_queries, k), np.int64), np.empty((n_queries, k), np.int32)
