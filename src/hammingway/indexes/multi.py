"""Multi-index hashing: the scan's answer without the scan, wherever that is cheaper."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import log2
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.indexes import flat_file
from hammingway.indexes.base import AnyCodes, check_k, check_radius
from hammingway.indexes.certified import Certificate, CertifiedNeighbors, CertifiedRanges, certificate_of_scans
from hammingway.indexes.filters import Selected, Where, as_filter
from hammingway.indexes.flat import FlatIndex
from hammingway.indexes.row_store import RowStore
from hammingway.indexes.scan_cost import budget_for
from hammingway.kernels import top_k
from hammingway.kernels.layout import count_of, threads_of
from hammingway.kernels.probing import MAX_KEY_BITS, MAX_SLOTS, Table, Tabled, probing, words_of
from hammingway.results import Neighbors, Ranges
from hammingway.storage import read_kind

__all__ = ["MultiIndex"]

KIND = "multi-index"
_TAIL = 512  # codes that are compared one by one rather than put into tables
_TAIL_SHARE = 64


class MultiIndex(FlatIndex):
    """Exact Hamming search by multi-index hashing, with the scan to fall back on.

    Each code is cut into ``n_tables`` substrings, each of which is the key of a hash table. Two codes
    that differ in few bits differ in hardly any bit of some substring, so looking up the keys near
    the query's substrings finds all codes near the query. The radius grows until the k-th best
    distance proves that nothing unseen can be nearer, or as near with a smaller id: the answer is
    :class:`FlatIndex`'s, ties included. A query whose look-ups would cost more than a small part of
    a scan, by the counts of keys and the sizes of their buckets, is handed to the scan; that can
    happen in its middle. Uniformly random codes always are; codes in clusters, and small radii, need
    no scan.

    Memory is that of a :class:`FlatIndex`, the codes a second time as rows, and 8 to 20 bytes a code
    and table of the usual size. The tables are built again whenever the codes added since outnumber
    a 64th of the index; until then these codes are compared one by one.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096.
    n_tables : substrings, from ``n_bits / 64`` to ``n_bits``; None for substrings of about log2(n) bits for n codes.
    n_threads : threads of a search, which share the queries; None for all cores. The result never depends on it.

    Notes
    -----
    M. Norouzi, A. Punjani, D. J. Fleet: Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012;
    Fast Exact Search in Hamming Space with Multi-Index Hashing, TPAMI 2014 (proposition 2, algorithm 1).
    Deviations: a code that several tables name is recognised by the step that must have met it first
    instead of a bit array; ties are ordered by id; and the scan takes over from dear queries.

    Examples
    --------
    >>> database = Codes.from_bits([[0, 0, 0], [1, 1, 1], [0, 1, 1]])
    >>> index = MultiIndex(3).add(database)
    >>> found = index.search(Codes.from_bits([[1, 1, 0]]), k=2)
    >>> found.ids, found.distances
    (array([[1, 0]]), array([[1, 2]], dtype=int32))
    >>> found.certificate.exact
    array([ True])
    """

    def __init__(self, n_bits: int, *, n_tables: int | None = None, n_threads: int | None = None) -> None:
        super().__init__(n_bits, n_threads=n_threads)
        self.n_tables = None if n_tables is None else _check_n_tables(n_tables, self.n_bits)
        self._probing = probing()
        self._rows = RowStore(self.n_bits)
        self._tables: list[Table] = []

    @property
    def size_bytes(self) -> int:
        """Bytes the index holds in memory: planes, rows, tables and ids."""
        return super().size_bytes + self._rows.size_bytes + sum(table.size_bytes for table in self._tables)

    def add(self, codes: AnyCodes, ids: ArrayLike | None = None, *, bias: ArrayLike | None = None) -> Self:
        """Add ``codes`` and return the index; see :meth:`FlatIndex.add`.

        Raises
        ------
        CodeWidthError, ShapeError : as for a FlatIndex.
        InvalidInputError : as for a FlatIndex, or more than 2^32 - 1 codes; nothing was added.
        """
        if self._rows.n_slots + len(self._own_codes(codes)) > MAX_SLOTS:
            raise InvalidInputError(f"a MultiIndex holds up to {MAX_SLOTS} codes; use a FlatIndex for more.")
        return super().add(codes, ids, bias=bias)

    def search(self, queries: AnyCodes, k: int, *, where: Where = None) -> CertifiedNeighbors:
        """Return the ``k`` nearest codes of each query, sorted by (distance, id), and how they were found.

        Parameters
        ----------
        queries : n_queries codes of the index's width, as for :meth:`FlatIndex.search`.
        k : neighbours a query, from 1; where there are fewer, id -1 at distance ``n_bits + 1`` fills up.
        where : which codes may be found, as for :meth:`FlatIndex.search`.

        Raises
        ------
        CodeWidthError : queries of another width.
        InvalidInputError : k is not a whole number from 1, or where is no filter.
        """
        queries = self._own_codes(queries, what="queries")
        # The rest only once tables may pay: few codes are scanned in less time than it takes.
        costs = budget_for(self._store, len(queries), self.n_threads) if self._tables else None
        if costs is None:
            return self._scanned(super().search(queries, k, where=where))
        k, where = check_k(k), as_filter(where)
        chosen = self._selected(where)
        n_found = min(k, chosen.n)
        if not n_found:
            return self._scanned(super().search(queries, k, where=where))
        slots, distances, *effort = self._probing.probe_top_k(
            Tabled(self._tables, self._rows.words, chosen.live, self._id_map.keys),
            words_of(queries.packed),
            n_found,
            costs=costs,
            n_threads=threads_of(self.n_threads),
        )
        certificate = self._certificate(*effort)
        dear = certificate.by_scan
        n_dear = np.count_nonzero(dear)
        if n_dear == len(queries):
            slots, distances = self._scan(queries, n_found, chosen)
        elif n_dear:
            slots[dear], distances[dear] = self._scan(queries[dear], n_found, chosen)
        ids, padded = self._padded(self._id_map.of(slots), distances, k)
        return CertifiedNeighbors(ids, padded, certificate)

    def search_radius(self, queries: AnyCodes, radius: int, *, where: Where = None) -> CertifiedRanges:
        """Return all codes within ``radius`` bits of each query, sorted by (distance, id), and how they were found.

        Parameters
        ----------
        queries : n_queries codes of the index's width, as for :meth:`FlatIndex.search`.
        radius : largest distance in bits, from 0; above ``n_bits`` it returns every code.
        where : which codes may be found, as for :meth:`FlatIndex.search`.

        Raises
        ------
        CodeWidthError : queries of another width.
        InvalidInputError : radius is not a whole number from 0, or where is no filter.
        """
        where = as_filter(where)
        queries = self._own_codes(queries, what="queries")
        radius = min(check_radius(radius), self.n_bits)
        chosen = self._selected(where)
        costs = budget_for(self._store, len(queries), self.n_threads) if self._tables and chosen.n else None
        if costs is None:
            found = super().search_radius(queries, radius, where=where)
            certificate = certificate_of_scans(len(queries), self.n_bits)
            return CertifiedRanges(found.ids, found.distances, found.offsets, certificate)
        slots, distances, offsets, *effort = self._probing.probe_within(
            Tabled(self._tables, self._rows.words, chosen.live, self._id_map.keys),
            words_of(queries.packed),
            radius,
            costs=costs,
            n_threads=threads_of(self.n_threads),
        )
        certificate = self._certificate(*effort)
        found = Ranges(self._id_map.of(slots), distances, offsets)
        dear = certificate.by_scan
        n_dear = np.count_nonzero(dear)
        if n_dear == len(queries):
            found = super().search_radius(queries, radius, where=where)
        elif n_dear:
            found = _interleaved(found, super().search_radius(queries[dear], radius, where=where), dear)
        return CertifiedRanges(found.ids, found.distances, found.offsets, certificate)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to ``path``, whole or not at all; removed codes and the tables are left out.

        Loading builds the tables again: for a million codes of 64 bits that takes about a tenth of a second, hardly
        more than to read and check them would, while they would make the file six times as large.
        """
        flat_file.write(path, self._parts(), kind=KIND, more={"n_tables": self.n_tables})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_tables: int | None = None, n_threads: int | None = None) -> Self:
        """Return the index that :meth:`save`, or a FlatIndex's, wrote; the tables are built anew.

        Parameters
        ----------
        n_tables : as for the class; None for what the saved index was given.

        Raises
        ------
        FileNotFoundError : there is no such file.
        FileFormatError : the file is damaged, of another kind or of a newer version.
        InvalidInputError : n_tables does not suit the width of the codes.
        """
        kind = flat_file.KIND if read_kind(path) == flat_file.KIND else KIND
        parts, header = flat_file.read(path, kind=kind)
        index = cls(parts.store.n_bits, n_threads=n_threads)
        saved = header.get("n_tables")
        try:
            index.n_tables = None if saved is None else _check_n_tables(saved, index.n_bits)
        except InvalidInputError as error:
            raise FileFormatError(f"{path} is not a sound index file: {error}. Write it again.") from error
        if n_tables is not None:
            index.n_tables = _check_n_tables(n_tables, index.n_bits)
        index._take(parts)
        return index

    def _take(self, parts: flat_file.Parts) -> None:
        super()._take(parts)
        self._rows.copy_from(parts.store)
        self._tables = self._tables_of(self._rows)

    def _append(self, codes: Codes, named: NDArray[np.int64] | None, bias: NDArray[np.float32] | None) -> None:
        super()._append(codes, named, bias)
        self._rows.append(codes.packed)
        n_tail = self._rows.n_slots - (self._tables[0].last if self._tables else 0)
        if n_tail > max(_TAIL, self._rows.n_slots // _TAIL_SHARE):
            self._tables = self._tables_of(self._rows)

    def _undo(self) -> Callable[[], None]:
        undo, n_rows, tables = super()._undo(), self._rows.n_slots, self._tables

        def undo_all() -> None:
            undo()
            self._rows.truncate(n_rows)
            self._tables = tables

        return undo_all

    def _compact(self) -> None:
        slots = self._store.live_slots()
        store, id_map, rows = self._store.compacted(slots), self._id_map.compacted(slots), self._rows.kept(slots)
        biases = self._biases and self._biases.compacted(slots)
        tables = self._tables_of(rows)
        # All at once: Ctrl-C before this line leaves the old index, after it the new one.
        self._store, self._id_map, self._biases, self._rows, self._tables = store, id_map, biases, rows, tables

    def _tables_of(self, rows: RowStore) -> list[Table]:
        """Return tables of all rows; none where there are so few that comparing them is as good."""
        n_tables = self.n_tables or _usual_n_tables(self.n_bits, rows.n_slots)
        return [
            self._probing.Table(rows.words, bits.tolist(), 0, rows.n_slots)
            for bits in np.array_split(np.arange(self.n_bits), n_tables)
            if rows.n_slots > _TAIL
        ]

    def _padded(
        self, ids: NDArray[np.int64], distances: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return copies with ``k`` columns, where the index holds fewer codes."""
        n_empty = k - ids.shape[1]
        return (
            np.pad(ids, ((0, 0), (0, n_empty)), constant_values=-1) if n_empty else ids.copy(),
            np.pad(distances, ((0, 0), (0, n_empty)), constant_values=self.n_bits + 1) if n_empty else distances,
        )

    def _scan(self, queries: Codes, k: int, chosen: Selected) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the slots and distances of the ``k`` nearest of at least as many; what a search checks was checked."""
        keys = self._id_map.keys
        return top_k(self._store.planes, chosen.live, queries.packed, k, ids=keys, n_threads=self.n_threads)

    def _scanned(self, found: Neighbors) -> CertifiedNeighbors:
        """Return what a scan found, and that it did."""
        return CertifiedNeighbors(found.ids, found.distances, certificate_of_scans(len(found), self.n_bits))

    def _certificate(
        self, radius: NDArray[np.int32], probes: NDArray[np.int64], candidates: NDArray[np.int64]
    ) -> Certificate:
        by_scan = radius < 0
        if by_scan.all():
            scans = certificate_of_scans(len(radius), self.n_bits)
            return Certificate(scans.exact, scans.radius, scans.by_scan, probes, candidates)
        np.copyto(radius, self.n_bits, where=by_scan)
        return Certificate(np.ones(len(radius), np.bool_), radius, by_scan, probes, candidates)


def _interleaved(some: Ranges, others: Ranges, which: NDArray[np.bool_]) -> Ranges:
    """Return the results of ``some`` where ``which`` is False, and those of ``others``, in order, where it is True."""
    counts = some.counts
    counts[which] = others.counts
    offsets = np.concatenate([[0], np.cumsum(counts)])
    from_others = np.repeat(which, counts)
    ids, distances = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.int32)
    ids[~from_others], distances[~from_others] = some.ids, some.distances
    ids[from_others], distances[from_others] = others.ids, others.distances
    return Ranges(ids, distances, offsets)


def _check_n_tables(n_tables: int, n_bits: int) -> int:
    count = count_of("n_tables", n_tables, -(-n_bits // MAX_KEY_BITS))
    if count > n_bits:
        raise InvalidInputError(f"{n_bits}-bit codes have at most {n_bits} substrings; got n_tables={count}.")
    return count


def _usual_n_tables(n_bits: int, n_codes: int) -> int:
    """Return the number of substrings of about log2(n) bits, Norouzi et al. 2014, section 4."""
    return max(1, -(-n_bits // MAX_KEY_BITS), round(n_bits / log2(max(2, n_codes))))
