"""The exact index: every query meets every code, on bit planes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.codes import Codes
from hammingway.ids import check_ids, distinct, is_id
from hammingway.indexes import flat_file
from hammingway.indexes.base import (
    AnyCodes,
    Index,
    check_k,
    check_known_ids,
    check_n_threads,
    check_new_ids,
    check_radius,
)
from hammingway.indexes.bias_store import BiasStore, check_bias_beside
from hammingway.indexes.filters import Selected, Where, as_filter
from hammingway.indexes.id_map import IdMap
from hammingway.indexes.plane_store import PlaneStore
from hammingway.indexes.query_weights import check_prefix, check_scores, quantize_scores
from hammingway.kernels import LANES, top_k, top_k_asymmetric, top_k_biased, within
from hammingway.results import Neighbors, Ranges, Scored

__all__ = ["FlatIndex"]


class FlatIndex(Index):
    """Exact Hamming search by a scan of bit planes, vectorised and on several threads.

    Memory is ``n_bits / 8`` bytes a code, in blocks of 512 codes, and up to half of that kept free
    once codes were added to a filled index. Ids that count up from 0 take none; ids of your own
    take 8 to 12 bytes each, and the table that finds them 8 to 16 more. Removal clears a bit;
    once removed codes outnumber the others the index is rewritten without them, so removing takes
    constant time a code on average.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096.
    n_threads : threads of a search; None for all cores the process may use. The result never depends on it.

    Examples
    --------
    >>> database = Codes.from_bits([[0, 0, 0], [1, 1, 1], [0, 1, 1]])
    >>> index = FlatIndex(3).add(database)
    >>> index.search(Codes.from_bits([[1, 1, 0]]), k=2)
    Neighbors(ids=array([[1, 0]]), distances=array([[1, 2]], dtype=int32))
    >>> index.remove([1])
    1
    >>> index
    FlatIndex(2 codes of 3 bits)
    """

    exact: ClassVar[bool] = True

    def __init__(self, n_bits: int, *, n_threads: int | None = None) -> None:
        super().__init__(n_bits)
        self.n_threads = check_n_threads(n_threads)
        self._store = PlaneStore(self.n_bits)
        self._id_map = IdMap()
        self._biases: BiasStore | None = None

    def __len__(self) -> int:
        return self._store.n_live

    def __contains__(self, code_id: object) -> bool:
        """Return whether a code with this id can be found."""
        return is_id(code_id) and bool(self._slots(np.array([code_id], np.int64))[0] >= 0)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids of all codes, int64 (n,), ascending."""
        return np.sort(self._id_map.of(self._store.live_slots()))

    @property
    def size_bytes(self) -> int:
        """Bytes the index holds in memory, room to grow and removed codes included."""
        biases = 0 if self._biases is None else self._biases.size_bytes
        return self._store.size_bytes + self._id_map.size_bytes + biases

    @property
    def has_bias(self) -> bool:
        """Whether the codes of the index have a bias."""
        return self._biases is not None

    def add(self, codes: AnyCodes, ids: ArrayLike | None = None, *, bias: ArrayLike | None = None) -> Self:
        """Add ``codes`` and return the index.

        Parameters
        ----------
        codes : n codes of the index's width. ``StoredCodes`` carry the fingerprint of their encoder: an empty index
            takes it on as its own, another one is refused. Plain ``Codes`` are taken on trust.
        ids : integers (n,) from 0 to 2^63 - 1, distinct and not in the index; without them, those of
            ``StoredCodes``, or the numbers after the largest id that was ever given, from 0.
        bias : real (n,), finite as float32: what :meth:`search_asymmetric` adds to the score of each code, in
            the unit of the scores. All codes of an index have one, or none.

        Raises
        ------
        CodeWidthError : codes of another width.
        ShapeError : not one id a code, or not one bias.
        InvalidInputError : codes of another encoder; an id that is negative, given twice, or in the index already;
            a bias that is not finite, or given where the codes in the index have none, or left out where they have one.
            After any of these, as after Ctrl-C, nothing was added.
        """
        codes, ids, encoder = self._to_add(codes, ids)
        named = None if ids is None else check_new_ids(ids, len(codes), self._slots)
        given = check_bias_beside(bias, len(codes), n_held=len(self), has_bias=self.has_bias)
        if len(codes):
            undo = self._undo()
            try:
                self._append(codes, named, given)
            except BaseException:  # no memory, or Ctrl-C, which is raised once the kernel is done
                undo()
                raise
        self._encoder = encoder
        return self

    def search(self, queries: AnyCodes, k: int, *, where: Where = None) -> Neighbors:
        """Return the ``k`` nearest codes of each query, sorted by (distance, id).

        Parameters
        ----------
        queries : n_queries codes of the index's width; of ``StoredCodes`` the encoder is checked too.
        k : neighbours a query, from 1; where there are fewer, id -1 at distance ``n_bits + 1`` fills up.
        where : which codes may be found: a :class:`hammingway.indexes.Filter`, or what makes one, a bool
            mask by id or an array of ids; all codes if None.

        Raises
        ------
        CodeWidthError : queries of another width.
        InvalidInputError : queries of another encoder, k is not a whole number from 1, or where is no filter.
        """
        queries = self._own_codes(queries, what="queries")
        k = check_k(k)
        ids = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), self.n_bits + 1, np.int32)
        chosen = self._selected(where)
        n_found = min(k, chosen.n)
        if n_found and len(queries):
            planes, keys = self._store.planes, self._id_map.keys
            slots, found = top_k(planes, chosen.live, queries.packed, n_found, ids=keys, n_threads=self.n_threads)
            ids[:, :n_found], distances[:, :n_found] = self._id_map.of(slots), found
        return Neighbors(ids, distances)

    def search_asymmetric(
        self,
        scores: ArrayLike,
        k: int,
        *,
        query_bits: int = 8,
        prefix_bits: int | None = None,
        where: Where = None,
    ) -> Scored:
        """Return the ``k`` codes that agree best with each query's scores, sorted by (-score, id).

        A code read as -1 and +1 is scored by its inner product with the query's scores, so that a
        bit the query is sure of counts more than one it is not. A bias that the codes were added with is
        added: results are then sorted by (-(score + bias), id), and ``scores`` are these sums, product
        and sum of float64 rounded once each; the bias is not scaled. The scores are first rounded to
        integers, see :func:`hammingway.indexes.query_weights.quantize_scores`; sums and order are
        then exact. Weights of the bits are weights of the scores: pass ``scores * weights``.

        Parameters
        ----------
        scores : real (n_queries, n_bits), ``hasher.project_queries(queries)``; finite.
        k : results a query, from 1; where the index holds fewer, id -1 at minus infinity fills up.
        query_bits : 4 or 8, the bits a score is rounded to. Four are faster and rank a little worse.
        prefix_bits : score the first ``prefix_bits`` bits of the codes only, at the price of codes that
            short; all if not given. Then ``scores`` has that many columns.
        where : which codes may be found, as for :meth:`search`.

        Raises
        ------
        CodeWidthError : not one column of scores for each bit that is scored.
        ShapeError : scores of another number of dimensions.
        InvalidInputError : scores that are not finite real numbers, k below 1, query_bits other than
            4 and 8, prefix_bits outside 1 to n_bits, or where is no filter.

        Examples
        --------
        >>> index = FlatIndex(2).add(Codes.from_bits([[0, 0], [0, 1], [1, 0]]))
        >>> index.search_asymmetric([[0.25, -1.0]], k=2)
        Scored(ids=array([[2, 0]]), scores=array([[1.2519685, 0.7480315]]))
        """
        n_scored = check_prefix(prefix_bits, self.n_bits)
        weights, units = quantize_scores(check_scores(scores, n_scored), query_bits)
        k = check_k(k)
        ids = np.full((len(weights), k), -1, np.int64)
        similarities = np.full((len(weights), k), -np.inf)
        chosen = self._selected(where)
        n_found = min(k, chosen.n)
        if n_found and len(weights):
            slots, similarities[:, :n_found] = self._best(chosen, weights, units, n_found)
            ids[:, :n_found] = self._id_map.of(slots)
        return Scored(ids, similarities)

    def _best(
        self, chosen: Selected, weights: NDArray[np.int8], units: NDArray[np.float64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the slots of the ``k`` greatest scores, and the scores in units, biases added."""
        planes, keys = self._store.planes, self._id_map.keys
        if self._biases is None:
            slots, sums = top_k_asymmetric(planes, chosen.live, weights, k, ids=keys, n_threads=self.n_threads)
            return slots, sums * units[:, None]
        biases = self._biases.beside(units, len(planes))
        return top_k_biased(planes, chosen.live, weights, k, biases=biases, ids=keys, n_threads=self.n_threads)

    def search_radius(self, queries: AnyCodes, radius: int, *, where: Where = None) -> Ranges:
        """Return all codes within ``radius`` bits of each query, that distance included, sorted by (distance, id).

        Parameters
        ----------
        queries : n_queries codes of the index's width; of ``StoredCodes`` the encoder is checked too.
        radius : largest distance in bits, from 0; above ``n_bits`` it returns every code.
        where : which codes may be found, as for :meth:`search`.

        Raises
        ------
        CodeWidthError : queries of another width.
        InvalidInputError : queries of another encoder, radius is not a whole number from 0, or where is no filter.
        """
        queries = self._own_codes(queries, what="queries")
        radius = min(check_radius(radius), self.n_bits)
        chosen = self._selected(where)
        if not chosen.n or not len(queries):
            return Ranges(np.empty(0, np.int64), np.empty(0, np.int32), np.zeros(len(queries) + 1, np.int64))
        planes, keys = self._store.planes, self._id_map.keys
        slots, distances, offsets = within(
            planes, chosen.live, queries.packed, radius, ids=keys, n_threads=self.n_threads
        )
        return Ranges(self._id_map.of(slots), distances, offsets)

    def remove(self, ids: ArrayLike) -> int:
        """Remove the codes of ``ids`` and return how many there were; an id listed twice counts once.

        Raises
        ------
        InvalidInputError : an id is not in the index; nothing was removed.
        """
        slots = check_known_ids(distinct(check_ids(ids)), self._slots, len(self))
        try:
            self._store.kill(slots)
        finally:
            self._id_map.forget(slots)
        n_dead = self._store.n_slots - len(self)
        if n_dead > max(len(self), LANES):
            self._compact()
        return len(slots)

    def reconstruct(self, ids: ArrayLike) -> Codes:
        """Return the codes of ``ids``, in that order.

        Raises
        ------
        InvalidInputError : an id is not in the index.
        """
        return Codes(self._store.rows(check_known_ids(check_ids(ids), self._slots, len(self))), self.n_bits)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to ``path``, whole or not at all; removed codes are left out."""
        flat_file.write(path, self._parts(), kind=flat_file.KIND, more={})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_threads: int | None = None) -> Self:
        """Return the index that :meth:`save` wrote; it answers, and numbers what is added, as the saved one did.

        Raises
        ------
        FileNotFoundError : there is no such file.
        FileFormatError : the file is damaged, of another kind or of a newer version.
        """
        parts, _ = flat_file.read(path, kind=flat_file.KIND)
        index = cls(parts.store.n_bits, n_threads=n_threads)
        index._take(parts)
        return index

    def _parts(self) -> flat_file.Parts:
        """Return what a file of the index holds: its codes without those removed."""
        slots = self._store.live_slots()
        store, id_map = self._store, self._id_map
        if len(slots) < store.n_slots:
            store, id_map = store.compacted(slots), id_map.compacted(slots)
        return flat_file.Parts(store, id_map, self._bias_of(slots), self.encoder)

    def _take(self, parts: flat_file.Parts) -> None:
        """Become the index that a file holds."""
        self._store, self._id_map, self._encoder = parts.store, parts.id_map, parts.encoder
        self._biases = None if parts.bias is None else BiasStore.of_all(parts.bias)

    def _undo(self) -> Callable[[], None]:
        """Return what puts the index back to how it is now, however far an append came."""
        n_slots, id_map, biases = self._store.n_slots, self._id_map.before_append(), self._biases

        def undo() -> None:
            self._store.truncate(n_slots)
            self._id_map, self._biases = id_map, biases  # the next codes' biases overwrite what was put there

        return undo

    def _append(self, codes: Codes, named: NDArray[np.int64] | None, bias: NDArray[np.float32] | None) -> None:
        if named is None:
            self._id_map.check_room(len(codes))
        elif self._id_map.continues(named):
            named = None
        elif self._id_map.stored is None:
            self._id_map.begin_storing(self._store.live_slots())
        first_slot = self._store.n_slots
        self._store.append(codes.packed)
        self._id_map.append(len(codes), named)
        if bias is None:
            self._biases = None  # codes with one are gone
        else:
            self._biases = self._biases or BiasStore()
            self._biases.put(bias, first_slot)

    def _selected(self, where: Where) -> Selected:
        """Return the codes that a search may find."""
        chosen = as_filter(where)
        if chosen is None:
            return Selected(self._store.live, len(self))
        return chosen.of(self._store, self._id_map)

    def _bias_of(self, slots: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return the biases of ``slots``, float32 (len(slots),); None where the codes have none."""
        return None if self._biases is None else self._biases.of(slots)

    def _compact(self) -> None:
        """Give back the memory of removed codes."""
        slots = self._store.live_slots()
        biases = self._biases and self._biases.compacted(slots)
        self._store, self._id_map = self._store.compacted(slots), self._id_map.compacted(slots)
        self._biases = biases

    def _slots(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each id's code; -1 where the index has none."""
        slots = self._id_map.find(ids)
        known = np.flatnonzero(slots >= 0)
        slots[known[~self._store.is_live(slots[known])]] = -1
        return slots
