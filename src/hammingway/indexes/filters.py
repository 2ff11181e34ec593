"""Which codes a search may find: a predicate by id that becomes a bit plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, Self
from weakref import ref

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.ids import check_ids, distinct
from hammingway.indexes.plane_store import PlaneStore
from hammingway.kernels.live_planes import count_bits, plane_of_mask, set_bits

__all__ = ["Filter", "Selected", "Where", "as_filter"]


class SlotIds(Protocol):
    """Which id each slot has; see :class:`hammingway.indexes.id_map.IdMap`."""

    @property
    def stored(self) -> NDArray[np.int64] | None: ...
    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]: ...


class Selected(NamedTuple):
    """The codes of one index that a search may find.

    Parameters
    ----------
    live : uint64 (n_blocks, 8), a bit a slot.
    n : how many there are.
    """

    live: NDArray[np.uint64]
    n: int


class Filter:
    """The ids that a search may find, for any number of searches.

    The filter becomes a plane of one bit a code, which a search reads instead of the index's own. The
    plane is kept and made again only when another index is searched or the index was changed, so one
    filter for many searches costs nothing after the first. Any number of threads may share it.

    Parameters
    ----------
    where : bool (n,), True where the code of that id may be found, ids from n on may not; or integers
        (n,), the ids that may be found. Ids that the index does not have are passed over.

    Raises
    ------
    ShapeError : not one-dimensional.
    InvalidInputError : neither bool nor whole numbers from 0 to 2^63 - 1; a dict, which filters a Collection.

    Examples
    --------
    >>> from hammingway import Codes, FlatIndex
    >>> index = FlatIndex(3).add(Codes.from_bits([[0, 0, 0], [1, 1, 1], [0, 1, 1]]))
    >>> even = Filter([0, 2])
    >>> index.search(Codes.from_bits([[1, 1, 1]]), k=1, where=even).ids
    array([[2]])
    >>> index.search(Codes.from_bits([[1, 1, 1]]), k=1, where=[True, False, False]).ids
    array([[0]])
    """

    def __init__(self, where: ArrayLike) -> None:
        if isinstance(where, Mapping):
            raise InvalidInputError(
                "where must be a mask (a bool an id), a list of ids, or a Filter of either; got a dict. "
                "Filters by metadata are a Collection's: collection.search(..., where={...})."
            )
        given = np.asarray(where)
        if given.dtype == np.bool_:
            if given.ndim != 1:
                raise ShapeError(f"a mask must have shape (n,), one bool an id; got {given.shape}.")
            self._mask: NDArray[np.bool_] | None = given.copy()
            self._ids = np.empty(0, np.int64)
        else:
            self._mask, self._ids = None, distinct(check_ids(given))
        self._made: tuple[ref[PlaneStore], int, Selected] | None = None

    @classmethod
    def from_bitmap(cls, bitmap: ArrayLike) -> Self:
        """Return a filter of a packed mask, uint8 (n,): bit ``i % 8`` (the lowest is 0) of byte ``i // 8`` is id ``i``.

        Raises
        ------
        ShapeError : not one-dimensional.
        InvalidInputError : not uint8.
        """
        given = np.asarray(bitmap)
        if given.dtype != np.uint8:
            raise InvalidInputError(f"a bitmap must be uint8, eight ids a byte; got {given.dtype}.")
        if given.ndim != 1:
            raise ShapeError(f"a bitmap must have shape (n_bytes,); got {given.shape}.")
        return cls(np.unpackbits(given, bitorder="little").view(np.bool_))

    def of(self, store: PlaneStore, slot_ids: SlotIds) -> Selected:
        """Return the live codes of ``store`` that pass."""
        made = self._made
        if made is None or made[0]() is not store or made[1] != store.n_changes:
            live = store.live & self._plane(store, slot_ids)
            made = ref(store), store.n_changes, Selected(live, count_bits(live))
            self._made = made
        return made[2]

    def _plane(self, store: PlaneStore, slot_ids: SlotIds) -> NDArray[np.uint64]:
        ids = slot_ids.stored
        if self._mask is None:
            slots = slot_ids.find(self._ids)
            return set_bits(slots[slots >= 0], store.n_blocks)
        if ids is None:
            return plane_of_mask(self._mask[: store.n_slots], store.n_blocks)
        listed = (ids >= 0) & (ids < len(self._mask))
        passes = np.zeros(len(ids), np.bool_)
        passes[listed] = self._mask[ids[listed]]
        return plane_of_mask(passes, store.n_blocks)


Where = Filter | ArrayLike | None


def as_filter(where: Where) -> Filter | None:
    """Return ``where`` as a filter; None, which lets everything through, as it is.

    Raises
    ------
    ShapeError, InvalidInputError : as for a Filter.
    """
    return where if where is None or isinstance(where, Filter) else Filter(where)
