"""Where an id is stored: a hash table of NumPy arrays, a few bytes an id instead of a dict's hundred."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SlotTable"]

_EMPTY = -1
_MOST_SHORT = np.iinfo(np.int32).max  # slots that four bytes can name


class SlotTable:
    """Open addressing with linear probing; an entry is a slot, and its key is ``ids[slot]``.

    The caller keeps ``ids`` and sets it to -1 where a code is removed: the entry then matches no
    key and stands as its own tombstone until the table is rebuilt. At most half the places are
    taken, so a look-up takes constant expected time.

    Parameters
    ----------
    ids : int64 (n_slots,), distinct where >= 0; entries are made for those.

    Attributes
    ----------
    n_slots : slots that were looked at; a table of fewer than there are is out of date.
    """

    n_slots: int

    def __init__(self, ids: NDArray[np.int64]) -> None:
        self._rebuild(ids, room_for=0)

    @property
    def size_bytes(self) -> int:
        """Bytes of the table."""
        return self._places.nbytes

    def insert(self, ids: NDArray[np.int64], first_slot: int) -> None:
        """Make entries for the slots from ``first_slot`` to the end of ``ids``, not in the table yet."""
        n_new = len(ids) - first_slot
        if self.n_slots != first_slot or not self._has_room(n_new, ids):
            self._rebuild(ids, room_for=len(ids))
        else:
            self._place(np.arange(first_slot, len(ids)), ids)
            self.n_slots = len(ids)

    def insert_at(self, slots: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
        """Make entries for ``slots`` of ``ids``, which are not in the table yet, wherever they lie."""
        if not self._has_room(len(slots), ids):
            self._rebuild(ids, room_for=0)
        else:
            self._place(slots, ids)
            self.n_slots = len(ids)

    def find(self, keys: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each key, int64 (len(keys),); -1 where there is none."""
        found = np.full(len(keys), -1, np.int64)
        searching = np.arange(len(keys))
        places = self._hash(keys)
        while searching.size:
            slots = self._places[places]
            taken = slots != _EMPTY
            hit = taken.copy()
            hit[taken] = ids[slots[taken]] == keys[searching[taken]]
            found[searching[hit]] = slots[hit]
            on = taken & ~hit
            searching, places = searching[on], self._next(places[on])
        return found

    def _has_room(self, n_new: int, ids: NDArray[np.int64]) -> bool:
        most = np.iinfo(self._places.dtype).max
        return 2 * (self._n_entries + n_new) <= len(self._places) and len(ids) <= most

    def _rebuild(self, ids: NDArray[np.int64], *, room_for: int) -> None:
        slots = np.flatnonzero(ids >= 0)
        self._n_places_log2 = max(4, (2 * max(len(slots), room_for) - 1).bit_length())
        width: type[np.signedinteger[Any]] = np.int32 if len(ids) <= _MOST_SHORT else np.int64
        self._places: NDArray[np.signedinteger[Any]] = np.full(1 << self._n_places_log2, _EMPTY, width)
        self._n_entries = 0
        self._place(slots, ids)
        self.n_slots = len(ids)

    def _place(self, slots: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
        self._n_entries += len(slots)
        places = self._hash(ids[slots])
        while slots.size:
            free = self._places[places] == _EMPTY
            # Several slots may want one free place: the last write wins, the others probe on.
            self._places[places[free]] = slots[free]
            waiting = self._places[places] != slots
            slots, places = slots[waiting], self._next(places[waiting])

    def _hash(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first place of each key: the top bits of splitmix64's finalizer."""
        mixed = keys.astype(np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        return (mixed >> np.uint64(64 - self._n_places_log2)).astype(np.int64)

    def _next(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return (places + 1) & (len(self._places) - 1)
