"""An inverted file: cells around centres, of which a query scans the nearest few."""

from __future__ import annotations

import os
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.ids import check_ids, distinct, is_id
from hammingway.indexes import cell_file
from hammingway.indexes.base import (
    AnyCodes,
    Index,
    check_codes,
    check_k,
    check_known_ids,
    check_n_threads,
    check_new_ids,
    check_radius,
)
from hammingway.indexes.bias_store import check_bias_beside
from hammingway.indexes.cell_scoring import best_in_cells
from hammingway.indexes.cell_store import CellStore
from hammingway.indexes.cell_training import CODES_A_CELL, trained_cells
from hammingway.indexes.cell_visits import Visits, nothing_to_find
from hammingway.indexes.certified import CertifiedNeighbors, CertifiedRanges, CertifiedScored
from hammingway.indexes.filters import Selected, Where, as_filter
from hammingway.indexes.id_map import check_room
from hammingway.indexes.query_weights import check_prefix, check_scores, quantize_scores
from hammingway.kernels import LANES
from hammingway.kernels.cells import cell_scan
from hammingway.kernels.layout import count_of, threads_of

__all__ = ["IVFIndex"]

_OUTGROWN = 4


class IVFIndex(Index):
    """Approximate Hamming search in the cells nearest to the query, for tens of millions of codes.

    Each code lies in the cell of its nearest centre; a query scans the ``n_probe`` cells whose centres
    are nearest to it, on the bit planes that :class:`FlatIndex` scans, and may miss neighbours in the
    others. Each answer's certificate tells how many codes were compared (``candidates``, to be held
    against ``len(index)``), and whether it is proven to be the scan's nevertheless. With ``n_probe`` not
    below ``n_cells`` every answer is.

    Centres are found by clustering a sample. Until :meth:`fit` is called the index does so by itself:
    on the codes first added, and again, with as many cells as then suit it, whenever it has grown
    fourfold since; all codes then move to their new cells. After :meth:`fit`, with ``centres`` given, or
    once there were 128 codes for each of the ``n_cells`` asked for, the centres stay.

    Memory is ``n_bits / 8 + 8`` bytes a code, and the free part of each cell's last block of 512 codes:
    half a block a cell on average, an eighth at four blocks a cell. Adding to a filled index keeps up to
    half as much again free; removing codes or naming them takes a table of 8 to 16 bytes a code.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096.
    n_cells : cells, from 1; fewer where there are fewer distinct codes to train on. None for about the
        square root of the number of codes, with at least 2048 codes (four blocks) to a cell.
    n_probe : cells a query scans, from 1.
    centres : codes to use as centres instead of training any; then ``n_cells`` is not given.
    random_state : seed of the sample for training, from 0. The same codes, added in the same portions,
        give the same cells.
    n_threads : threads of a search; None for all cores. The result never depends on it.

    Notes
    -----
    J. Sivic, A. Zisserman: Video Google, ICCV 2003 (inverted files of cells). Deviations: centres are
    k-means of the codes as -1 and +1, rounded to bits at the end; cells are blocks of bit planes; queries
    of a batch that visit one cell scan it together, each under one limit for all its cells.

    Examples
    --------
    >>> database = Codes.from_bits([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 0]])
    >>> index = IVFIndex(4, n_cells=2, n_probe=1).add(database)
    >>> found = index.search(Codes.from_bits([[1, 1, 1, 1]]), k=2)
    >>> found.ids, found.distances
    (array([[1, 3]]), array([[0, 1]], dtype=int32))
    >>> found.certificate.candidates / len(index)
    array([0.5])
    """

    exact: ClassVar[bool] = False

    def __init__(
        self,
        n_bits: int,
        *,
        n_cells: int | None = None,
        n_probe: int = 8,
        centres: Codes | None = None,
        random_state: int = 0,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(n_bits)
        if n_cells is not None and centres is not None:
            raise InvalidInputError("give n_cells to train centres, or centres, not both.")
        self._n_cells = None if n_cells is None else count_of("n_cells", n_cells, 1)
        self.n_probe = count_of("n_probe", n_probe, 1)
        self.random_state = count_of("random_state", random_state, 0)
        self.n_threads = check_n_threads(n_threads)
        self._scan = cell_scan()
        self._cells: CellStore | None = None
        self._outgrown_at: int | None = 1  # codes from which on to train again; None: never
        if centres is not None:
            check_codes(centres, self.n_bits, what="centres")
            if not len(centres):
                raise InvalidInputError("centres must be at least one code; leave them out to train them.")
            self._cells, self._outgrown_at = CellStore(centres.packed, self.n_bits), None

    def __len__(self) -> int:
        return 0 if self._cells is None else self._cells.store.n_live

    def __contains__(self, code_id: object) -> bool:
        """Return whether a code with this id can be found."""
        return is_id(code_id) and bool(self._find(np.array([code_id], np.int64))[0] >= 0)

    @property
    def n_cells(self) -> int:
        """Cells there are, empty ones among them; 0 before any training."""
        return 0 if self._cells is None else self._cells.n_cells

    @property
    def centres(self) -> Codes:
        """Centres of the cells, n_cells codes."""
        none = np.empty((0, -(-self.n_bits // 8)), np.uint8)
        return Codes(none if self._cells is None else self._cells.centre_rows(), self.n_bits)

    @property
    def cell_sizes(self) -> NDArray[np.int64]:
        """Codes in each cell, int64 (n_cells,)."""
        return np.empty(0, np.int64) if self._cells is None else self._cells.sizes().copy()

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids of all codes, int64 (n,), ascending."""
        stored = np.empty(0, np.int64) if self._cells is None else self._cells.stored
        return np.sort(stored[stored >= 0])

    @property
    def size_bytes(self) -> int:
        """Bytes the index holds in memory, room to grow and removed codes included."""
        return 0 if self._cells is None else self._cells.size_bytes

    def fit(self, codes: Codes | None = None) -> Self:
        """Train the centres for good, move what the index holds to its new cells, and return the index.

        Parameters
        ----------
        codes : what to train on, from 1 code, best drawn as those to come; 128 codes a cell are enough, and
            no more are used. None for the codes in the index.

        Raises
        ------
        CodeWidthError : codes of another width.
        InvalidInputError : no codes to train on. After any error, as after Ctrl-C, nothing has changed.
        """
        if codes is not None:
            check_codes(codes, self.n_bits)
        if not len(self if codes is None else codes):
            raise InvalidInputError("there are no codes to train on; add some first, or pass them.")
        cells = self._trained(codes, with_own=codes is None)
        self._cells, self._outgrown_at = cells, None
        return self

    @property
    def has_bias(self) -> bool:
        """Whether the codes of the index have a bias."""
        return self._cells is not None and self._cells.biases is not None

    def add(self, codes: AnyCodes, ids: ArrayLike | None = None, *, bias: ArrayLike | None = None) -> Self:
        """Add ``codes`` and return the index; ``ids`` and ``bias`` as for :meth:`FlatIndex.add`.

        Raises
        ------
        CodeWidthError, ShapeError, InvalidInputError : as for a FlatIndex.
            After any of these, as after Ctrl-C, nothing was added.
        """
        codes, ids, encoder = self._to_add(codes, ids)
        given = check_bias_beside(bias, len(codes), n_held=len(self), has_bias=self.has_bias)
        named = self._new_ids(len(codes)) if ids is None else check_new_ids(ids, len(codes), self._find)
        if len(codes):
            n, cells, outgrown_at = len(self) + len(codes), self._cells, self._outgrown_at
            if cells is None or (outgrown_at is not None and n >= outgrown_at):
                cells, outgrown_at = self._trained(codes, with_own=True), self._next_training(n)
            cells.append(codes.packed, named, bias=given, n_threads=self.n_threads)
            self._cells, self._outgrown_at = cells, outgrown_at
        self._encoder = encoder
        return self

    def search(
        self, queries: AnyCodes, k: int, *, n_probe: int | None = None, where: Where = None
    ) -> CertifiedNeighbors:
        """Return the ``k`` nearest codes of each query among its cells, sorted by (distance, id), and what was done.

        Parameters
        ----------
        queries : n_queries codes of the index's width, as for :meth:`FlatIndex.search`.
        k : neighbours a query, from 1; where fewer were found, id -1 at distance ``n_bits + 1`` fills up.
        n_probe : cells to scan for this search, from 1; the index's own if None.
        where : which codes may be found, as for :meth:`FlatIndex.search`; cells without any are not scanned.

        Raises
        ------
        CodeWidthError : queries of another width.
        InvalidInputError : k or n_probe is not a whole number from 1, or where is no filter.
        """
        queries = self._own_codes(queries, what="queries")
        k, n_probe = check_k(k), self._checked_n_probe(n_probe)
        ids = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), self.n_bits + 1, np.int32)
        chosen = self._selected(where)
        n_found = min(k, chosen.n)
        if self._cells is None or not n_found or not len(queries):
            return CertifiedNeighbors(ids, distances, nothing_to_find(len(queries), self.n_bits))
        visits = Visits.of_codes(self._cells, queries.packed, n_probe, chosen, n_threads=self.n_threads)
        celled, n_threads = self._cells.celled(chosen.live), threads_of(self.n_threads)
        slots, distances[:, :n_found] = self._scan.top_k(
            celled, queries.packed, n_found, visits=visits.cells, n_threads=n_threads
        )
        ids[:, :n_found] = np.where(slots < 0, -1, self._cells.stored[slots])
        return CertifiedNeighbors(ids, distances, visits.certificate(distances[:, n_found - 1]))

    def search_radius(
        self, queries: AnyCodes, radius: int, *, n_probe: int | None = None, where: Where = None
    ) -> CertifiedRanges:
        """Return the codes within ``radius`` bits in each query's cells, sorted by (distance, id), and what was done.

        Parameters
        ----------
        queries : n_queries codes of the index's width, as for :meth:`FlatIndex.search`.
        radius : largest distance in bits, from 0.
        n_probe, where : as for :meth:`search`.

        Raises
        ------
        CodeWidthError, InvalidInputError : as for :meth:`search`, or radius is not a whole number from 0.
        """
        queries = self._own_codes(queries, what="queries")
        radius, n_probe = min(check_radius(radius), self.n_bits), self._checked_n_probe(n_probe)
        chosen = self._selected(where)
        if self._cells is None or not chosen.n or not len(queries):
            nothing = np.empty(0, np.int64), np.empty(0, np.int32), np.zeros(len(queries) + 1, np.int64)
            return CertifiedRanges(*nothing, nothing_to_find(len(queries), self.n_bits))
        visits = Visits.of_codes(self._cells, queries.packed, n_probe, chosen, n_threads=self.n_threads)
        slots, distances, offsets = self._scan.within(
            self._cells.celled(chosen.live),
            queries.packed,
            radius,
            visits=visits.cells,
            n_threads=threads_of(self.n_threads),
        )
        certificate = visits.certificate(np.full(len(queries), radius, np.int32))
        return CertifiedRanges(self._cells.stored[slots], distances, offsets, certificate)

    def search_asymmetric(
        self,
        scores: ArrayLike,
        k: int,
        *,
        query_bits: int = 8,
        prefix_bits: int | None = None,
        n_probe: int | None = None,
        where: Where = None,
    ) -> CertifiedScored:
        """Return the ``k`` codes that agree best with each query's scores among its cells, sorted by (-score, id).

        The cells are those whose centres agree best, whatever biases their codes have. Scores are rounded and
        summed, and biases added, as by :meth:`FlatIndex.search_asymmetric`.

        Parameters
        ----------
        scores, query_bits, prefix_bits : as for :meth:`FlatIndex.search_asymmetric`.
        k : results a query, from 1; where fewer were found, id -1 at minus infinity fills up.
        n_probe, where : as for :meth:`search`.

        Raises
        ------
        CodeWidthError, ShapeError, InvalidInputError : as for :meth:`FlatIndex.search_asymmetric` and :meth:`search`.
        """
        n_scored = check_prefix(prefix_bits, self.n_bits)
        weights, units = quantize_scores(check_scores(scores, n_scored), query_bits)
        k, n_probe = check_k(k), self._checked_n_probe(n_probe)
        ids = np.full((len(weights), k), -1, np.int64)
        similarities = np.full((len(weights), k), -np.inf)
        chosen = self._selected(where)
        n_found = min(k, chosen.n)
        if self._cells is None or not n_found or not len(weights):
            return CertifiedScored(ids, similarities, nothing_to_find(len(weights), self.n_bits))
        visits = Visits.of_weights(self._cells, weights, n_probe, chosen, n_threads=self.n_threads)
        ids[:, :n_found], similarities[:, :n_found] = best_in_cells(
            self._scan, self._cells, chosen, visits, (weights, units), n_found, n_threads=self.n_threads
        )
        needed = np.full(len(weights), self.n_bits, np.int32)  # nothing less than all cells proves an order of scores
        return CertifiedScored(ids, similarities, visits.certificate(needed))

    def remove(self, ids: ArrayLike) -> int:
        """Remove the codes of ``ids`` and return how many there were; an id listed twice counts once.

        Raises
        ------
        InvalidInputError : an id is not in the index; nothing was removed.
        """
        slots = check_known_ids(distinct(check_ids(ids)), self._find, len(self))
        if self._cells is not None and len(slots):
            self._cells.remove(slots)
            if self._cells.n_dead > max(len(self), LANES):
                self._cells = self._cells.moved(self._cells.centre_rows(), n_threads=self.n_threads)
        return len(slots)

    def reconstruct(self, ids: ArrayLike) -> Codes:
        """Return the codes of ``ids``, in that order.

        Raises
        ------
        InvalidInputError : an id is not in the index.
        """
        slots = check_known_ids(check_ids(ids), self._find, len(self))
        return self.centres if self._cells is None else Codes(self._cells.store.rows(slots), self.n_bits)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to ``path``, whole or not at all; removed codes are left out."""
        cells = self._cells or CellStore(np.zeros((1, -(-self.n_bits // 8)), np.uint8), self.n_bits)
        if cells.n_dead:
            cells = cells.moved(cells.centre_rows(), n_threads=self.n_threads)
        options = {
            "trained": self._cells is not None,
            "outgrown_at": self._outgrown_at,
            "n_cells": self._n_cells,
            "n_probe": self.n_probe,
            "random_state": self.random_state,
        }
        cell_file.write(path, cells, encoder=self.encoder, more=options)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_threads: int | None = None) -> Self:
        """Return the index that :meth:`save` wrote; it answers, and trains itself, as the saved one did.

        Raises
        ------
        FileNotFoundError : there is no such file.
        FileFormatError : the file is damaged, of another kind or of a newer version.
        """
        cells, encoder, header = cell_file.read(path)
        try:
            options = {name: header[name] for name in ("n_cells", "n_probe", "random_state")}
            index = cls(cells.store.n_bits, n_threads=n_threads, **options)
            outgrown_at = header["outgrown_at"]
            index._outgrown_at = None if outgrown_at is None else count_of("outgrown_at", outgrown_at, 1)
            trained = header["trained"]
        except (KeyError, InvalidInputError) as error:
            raise FileFormatError(f"{path} is not a sound index file: {error}. Write it again.") from error
        if type(trained) is not bool or (cells.store.n_live and not trained):
            raise FileFormatError(f"{path} is not a sound index file: codes without training. Write it again.")
        index._cells, index._encoder = cells if trained else None, encoder
        return index

    def _find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each id's code; -1 where the index has none."""
        return np.full(len(ids), -1, np.int64) if self._cells is None else self._cells.find(ids)

    def _new_ids(self, n: int) -> NDArray[np.int64]:
        """Return the next ``n`` numbers."""
        first = 0 if self._cells is None else self._cells.next_id
        check_room(first, n)
        return first + np.arange(n)  # arange has no 2^63 to end at

    def _selected(self, where: Where) -> Selected:
        """Return the codes that a search may find."""
        chosen = as_filter(where)
        if self._cells is None:
            return Selected(np.empty((0, 8), np.uint64), 0)
        store = self._cells.store
        return Selected(store.live, store.n_live) if chosen is None else chosen.of(store, self._cells)

    def _checked_n_probe(self, n_probe: int | None) -> int:
        return count_of("n_probe", self.n_probe if n_probe is None else n_probe, 1)

    def _next_training(self, n: int) -> int | None:
        """Return the number of codes at which an index that was trained on ``n`` codes trains again."""
        enough = self._n_cells is not None and n >= CODES_A_CELL * self._n_cells
        return None if enough else _OUTGROWN * n

    def _trained(self, codes: Codes | None, *, with_own: bool) -> CellStore:
        """Return cells trained on ``codes`` and, ``with_own``, on what the index holds, with the latter in them."""
        return trained_cells(
            self._cells,
            np.empty((0, -(-self.n_bits // 8)), np.uint8) if codes is None else codes.packed,
            self.n_bits,
            with_own=with_own,
            n_cells=self._n_cells,
            seed=self.random_state,
            n_threads=self.n_threads,
        )
