"""One hash table on a code or a part of it: look-ups and multi-probing, approximate and saying so."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError
from hammingway.indexes import flat_file
from hammingway.indexes.base import AnyCodes, check_k, check_radius
from hammingway.indexes.certified import Certificate, CertifiedNeighbors, CertifiedRanges
from hammingway.indexes.filters import Selected, Where
from hammingway.indexes.flat import FlatIndex
from hammingway.indexes.query_weights import check_scores
from hammingway.indexes.row_store import RowStore
from hammingway.kernels.layout import count_of, threads_of
from hammingway.kernels.probing import MAX_KEY_BITS, MAX_SLOTS, Table, Tabled, probing, words_of

__all__ = ["TableIndex"]

KIND = "table-index"
_NO_LIMIT = 2**62
_TAIL = 4096
_TAIL_SHARE = 16


class TableIndex(FlatIndex):
    """Approximate Hamming search by one hash table, looked up at the query's key and at keys near it.

    The key of a code is some of its bits. A search looks up keys by the number of their flipped bits,
    or, given the query's scores, in increasing order of the flipped bits' summed confidence; it
    compares all codes it finds by their full distance, and ends at the limits below, or where it can
    prove that nothing nearer is left. Each answer's certificate tells what was done: buckets probed,
    codes compared, the radius within which nothing was missed, and whether that makes the answer a
    scan's. Empty buckets and fewer than k candidates are no error: places stay empty.

    Memory is that of a :class:`FlatIndex`, the codes a second time as rows, and 8 to 20 bytes a code;
    up to 68 where the key has up to three bits more than log2(n).

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096.
    bits : distinct positions of the key's bits, 1 to 64 of them, or how many to take from the first on; None for the
        first ``min(n_bits, 64)``. About log2(n) bits fill the buckets of n codes with one code each.
    max_flips : bits of the key to flip at most, from 0; None for all.
    max_probes : buckets a query may look up, from 1.
    max_candidates : codes a query may be compared with, from 1; None for no limit. A bucket that would
        exceed it is read in part, in the order in which its codes were added.
    n_threads : threads of a search, which share the queries; None for all cores. The result never depends on it.

    Notes
    -----
    Q. Lv et al.: Multi-Probe LSH, VLDB 2007, section 4.4 (the order of keys). Deviations: bits are
    flipped instead of bucket numbers moved; exact sums in the order of confidence, ties by key; the
    search ends as soon as the k-th best distance is within the radius completed.

    Examples
    --------
    >>> database = Codes.from_bits([[0, 0, 0], [1, 1, 1], [0, 1, 1]])
    >>> index = TableIndex(3, max_probes=2).add(database)
    >>> found = index.search(Codes.from_bits([[1, 1, 1]]), k=2, scores=[[0.1, 2.0, 3.0]])
    >>> found.ids, found.distances
    (array([[1, 2]]), array([[0, 1]], dtype=int32))
    >>> found.certificate.probes, found.certificate.candidates, found.certificate.exact
    (array([2]), array([2]), array([False]))
    """

    exact: ClassVar[bool] = False

    def __init__(
        self,
        n_bits: int,
        *,
        bits: ArrayLike | int | None = None,
        max_flips: int | None = None,
        max_probes: int = 1000,
        max_candidates: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(n_bits, n_threads=n_threads)
        self._bits = _check_bits(min(self.n_bits, MAX_KEY_BITS) if bits is None else bits, self.n_bits)
        self.max_flips = None if max_flips is None else count_of("max_flips", max_flips, 0)
        self.max_probes = count_of("max_probes", max_probes, 1)
        self.max_candidates = None if max_candidates is None else count_of("max_candidates", max_candidates, 1)
        self._probing = probing()
        self._rows = RowStore(self.n_bits)
        self._tables: list[Table] = []

    @property
    def bits(self) -> NDArray[np.int64]:
        """Positions of the key's bits, int64 (n_key_bits,)."""
        return self._bits.copy()

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
            raise InvalidInputError(f"a TableIndex holds up to {MAX_SLOTS} codes; use a FlatIndex for more.")
        return super().add(codes, ids, bias=bias)

    def search(
        self, queries: AnyCodes, k: int, *, scores: ArrayLike | None = None, where: Where = None
    ) -> CertifiedNeighbors:
        """Return the ``k`` nearest codes found for each query, sorted by (distance, id), and what was done.

        Parameters
        ----------
        queries : n_queries codes of the index's width, as for :meth:`FlatIndex.search`.
        k : neighbours a query, from 1; where fewer were found, id -1 at distance ``n_bits + 1`` fills up.
        scores : real (n_queries, n_bits), ``hasher.project`` of the same vectors; keys are then probed in
            increasing order of the summed magnitude of the flipped bits' scores. None: fewest flips first.
        where : which codes may be found, as for :meth:`FlatIndex.search`; the others count as no candidates.

        Raises
        ------
        CodeWidthError, ShapeError : queries or scores of another width, or not one row of scores a query.
        InvalidInputError : k is not a whole number from 1, scores that are not finite or of other codes, or
            where is no filter.
        """
        queries = self._own_codes(queries, what="queries")
        k = check_k(k)
        weights = self._weights(scores, queries)
        chosen = self._selected(where)
        n_found = min(k, chosen.n)
        ids = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), self.n_bits + 1, np.int32)
        if not n_found or not len(queries):
            return CertifiedNeighbors(ids, distances, self._nothing_to_find(len(queries)))
        slots, found, *effort = self._probing.lookup_top_k(
            Tabled(self._current_tables(), self._rows.words, chosen.live, self._id_map.keys),
            words_of(queries.packed),
            n_found,
            weights=weights,
            limits=self._limits(),
            n_threads=threads_of(self.n_threads),
        )
        ids[:, :n_found] = self._id_map.of(slots)
        distances[:, :n_found] = np.where(slots < 0, self.n_bits + 1, found)
        certificate = self._certificate(*effort, n=chosen.n, needed=distances[:, n_found - 1])
        return CertifiedNeighbors(ids, distances, certificate)

    def search_radius(
        self, queries: AnyCodes, radius: int, *, scores: ArrayLike | None = None, where: Where = None
    ) -> CertifiedRanges:
        """Return the codes found within ``radius`` bits of each query, sorted by (distance, id), and what was done.

        Parameters
        ----------
        queries : n_queries codes of the index's width, as for :meth:`FlatIndex.search`.
        radius : largest distance in bits, from 0.
        scores, where : as for :meth:`search`.

        Raises
        ------
        CodeWidthError, ShapeError, InvalidInputError : as for :meth:`search`.
        """
        queries = self._own_codes(queries, what="queries")
        radius = min(check_radius(radius), self.n_bits)
        weights = self._weights(scores, queries)
        return self._within(queries, radius, self._selected(where), weights=weights, limits=self._limits())

    def lookup(self, queries: AnyCodes) -> CertifiedRanges:
        """Return all codes that share each query's key, sorted by (distance, id): one bucket, whatever it holds.

        Raises
        ------
        CodeWidthError : queries of another width.
        """
        queries = self._own_codes(queries, what="queries")
        everything = self._selected(None)
        return self._within(queries, self.n_bits, everything, weights=None, limits=(0, 1, _NO_LIMIT))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to ``path``, whole or not at all; the table itself is built anew on loading."""
        options = {name: getattr(self, name) for name in ("max_flips", "max_probes", "max_candidates")}
        flat_file.write(path, self._parts(), kind=KIND, more={"bits": self._bits.tolist(), **options})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_threads: int | None = None) -> Self:
        """Return the index that :meth:`save` wrote; it answers as the saved one did.

        Raises
        ------
        FileNotFoundError : there is no such file.
        FileFormatError : the file is damaged, of another kind or of a newer version.
        """
        parts, header = flat_file.read(path, kind=KIND)
        try:
            options = {name: header[name] for name in ("max_flips", "max_probes", "max_candidates")}
            index = cls(parts.store.n_bits, bits=header["bits"] or [], n_threads=n_threads, **options)
        except (KeyError, InvalidInputError) as error:
            raise FileFormatError(f"{path} is not a sound index file: {error}. Write it again.") from error
        index._take(parts)
        return index

    def _take(self, parts: flat_file.Parts) -> None:
        super()._take(parts)
        self._rows.copy_from(parts.store)

    def _within(
        self,
        queries: Codes,
        radius: int,
        chosen: Selected,
        *,
        weights: NDArray[np.float64] | None,
        limits: tuple[int, int, int],
    ) -> CertifiedRanges:
        if not chosen.n or not len(queries):
            nothing = np.empty(0, np.int64), np.empty(0, np.int32), np.zeros(len(queries) + 1, np.int64)
            return CertifiedRanges(*nothing, self._nothing_to_find(len(queries)))
        slots, distances, offsets, *effort = self._probing.lookup_within(
            Tabled(self._current_tables(), self._rows.words, chosen.live, self._id_map.keys),
            words_of(queries.packed),
            radius,
            weights=weights,
            limits=limits,
            n_threads=threads_of(self.n_threads),
        )
        certificate = self._certificate(*effort, n=chosen.n, needed=np.full(len(queries), radius))
        return CertifiedRanges(self._id_map.of(slots), distances, offsets, certificate)

    def _append(self, codes: Codes, named: NDArray[np.int64] | None, bias: NDArray[np.float32] | None) -> None:
        super()._append(codes, named, bias)
        self._rows.append(codes.packed)

    def _undo(self) -> Callable[[], None]:
        undo, n_rows = super()._undo(), self._rows.n_slots

        def undo_all() -> None:
            undo()
            self._rows.truncate(n_rows)

        return undo_all

    def _compact(self) -> None:
        slots = self._store.live_slots()
        store, id_map, rows = self._store.compacted(slots), self._id_map.compacted(slots), self._rows.kept(slots)
        biases = self._biases and self._biases.compacted(slots)
        # All at once: Ctrl-C before this line leaves the old index, after it the new one.
        self._store, self._id_map, self._biases, self._rows, self._tables = store, id_map, biases, rows, []

    def _current_tables(self) -> list[Table]:
        """Return a table of most codes, and one of those added since, which is small enough to be built often.

        Threads may look up at once: each builds the same tables, and the last ones stay.
        """
        tables, n_slots = self._tables, self._rows.n_slots
        if tables and tables[-1].last == n_slots:
            return tables
        words, bits = self._rows.words, self._bits.tolist()
        if tables and n_slots - tables[0].last <= max(_TAIL, n_slots // _TAIL_SHARE):
            tables = [tables[0], self._probing.Table(words, bits, tables[0].last, n_slots)]
        else:
            tables = [self._probing.Table(words, bits, 0, n_slots)]
        self._tables = tables
        return tables

    def _weights(self, scores: ArrayLike | None, queries: Codes) -> NDArray[np.float64] | None:
        if scores is None:
            return None
        checked = check_scores(scores, self.n_bits)
        if len(checked) != len(queries):
            raise ShapeError(f"{len(queries)} queries need as many rows of scores; got {len(checked)}.")
        if not np.array_equal(Codes.from_scores(checked).packed, queries.packed):
            raise InvalidInputError("scores and queries must be of the same vectors; pass Codes.from_scores(scores).")
        return np.ascontiguousarray(np.abs(checked[:, self._bits]))

    def _limits(self) -> tuple[int, int, int]:
        max_flips = len(self._bits) if self.max_flips is None else min(self.max_flips, len(self._bits))
        return (
            max_flips,
            min(self.max_probes, _NO_LIMIT),
            _NO_LIMIT if self.max_candidates is None else min(self.max_candidates, _NO_LIMIT),
        )

    def _certificate(
        self,
        radius: NDArray[np.int32],
        probes: NDArray[np.int64],
        candidates: NDArray[np.int64],
        *,
        n: int,
        needed: NDArray[Any],
    ) -> Certificate:
        """Return what was done among ``n`` codes, and whether it reached the radius ``needed`` to prove an answer."""
        radius[(radius == len(self._bits)) | (candidates == n)] = self.n_bits
        return Certificate(radius >= needed, radius, np.zeros(len(radius), np.bool_), probes, candidates)

    def _nothing_to_find(self, n_queries: int) -> Certificate:
        none = np.zeros(n_queries, np.int64)
        radius = np.full(n_queries, self.n_bits, np.int32)
        return self._certificate(radius, none, none.copy(), n=0, needed=radius)


def _check_bits(bits: ArrayLike | int, n_bits: int) -> NDArray[np.int64]:
    """Return the positions of a key's bits, or raise unless they are 1 to 64 distinct positions in a code."""
    if isinstance(bits, int | np.integer) and not isinstance(bits, bool) and 1 <= bits <= min(n_bits, MAX_KEY_BITS):
        return np.arange(bits, dtype=np.int64)
    given = np.asarray(bits)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not 1 <= given.size <= MAX_KEY_BITS:
        raise InvalidInputError(
            f"bits must be a list of 1 to {MAX_KEY_BITS} positions of a code's bits, or how many to take from the "
            f"first on, at most {min(n_bits, MAX_KEY_BITS)}; got {bits!r}."
        )
    if given.min() < 0 or given.max() >= n_bits or len(np.unique(given)) != given.size:
        raise InvalidInputError(f"bits must be distinct and lie from 0 to {n_bits - 1}; got {given.tolist()}.")
    return given.astype(np.int64)
