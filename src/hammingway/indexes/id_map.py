"""Which id each slot has, and back; free of charge while ids simply count up."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError
from hammingway.ids import MAX_ID
from hammingway.indexes.slot_table import SlotTable
from hammingway.kernels import LANES

__all__ = ["IdMap", "check_room"]


class IdMap:
    """Ids of slots 0, 1, ...; while every slot's id is its own number, nothing is stored.

    Parameters
    ----------
    n_slots : slots with an id, removed ones among them.
    ids : int64 (n_slots,), -1 where removed; None: slot i has id i.
    next_id : one more than the largest id ever given; what an unnamed code gets.
    """

    def __init__(self, n_slots: int = 0, *, ids: NDArray[np.int64] | None = None, next_id: int | None = None) -> None:
        self.n_slots = n_slots
        self.next_id = n_slots if next_id is None else next_id
        self._ids = None if ids is None else _lengthened(ids, n_slots)
        self._table: SlotTable | None = None

    @property
    def stored(self) -> NDArray[np.int64] | None:
        """Ids of the slots, int64 (n_slots,), -1 where removed; None while slot i has id i."""
        return None if self._ids is None else self._ids[: self.n_slots]

    @property
    def size_bytes(self) -> int:
        """Bytes of the ids and of the table that finds them."""
        return (0 if self._ids is None else self._ids.nbytes) + (0 if self._table is None else self._table.size_bytes)

    @property
    def keys(self) -> NDArray[np.int64] | None:
        """Ids of all slots of the blocks in use, -1 past the last slot; None as in `stored`."""
        return self._ids

    def of(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids of ``slots``; -1 for slot -1."""
        if self._ids is None:
            return slots
        return np.where(slots < 0, -1, self._ids[slots])

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each id, -1 where there is none; while nothing is stored, a removed slot too."""
        stored = self.stored
        if stored is None:
            return np.where(ids < self.n_slots, ids, -1)
        # Threads may look up at once: each builds the same table, and the last one stays; out of date, if
        # it was begun before an append and finished after.
        table = self._table
        if table is None or table.n_slots != len(stored):
            self._table = table = SlotTable(stored)
        return table.find(ids, stored)

    def continues(self, ids: NDArray[np.int64]) -> bool:
        """Return whether ``ids`` are what unnamed codes would get, so that nothing need be stored."""
        return self._ids is None and np.array_equal(ids, np.arange(self.n_slots, self.n_slots + len(ids)))

    def check_room(self, n: int) -> None:
        """Raise InvalidInputError unless ``n`` numbers are left after the largest id."""
        check_room(self.next_id, n)

    def before_append(self) -> Self:
        """Return the map as it is now, to go back to where an append fails; it shares memory with this one."""
        return type(self)(self.n_slots, ids=self._ids, next_id=self.next_id)

    def begin_storing(self, live_slots: NDArray[np.int64]) -> None:
        """Store the id of each of ``live_slots``, its own number until now: other ids are to follow."""
        self._ids = _lengthened(np.empty(0, np.int64), self.n_slots)
        self._ids[live_slots] = live_slots

    def append(self, n: int, ids: NDArray[np.int64] | None) -> None:
        """Give the next ``n`` slots ``ids``, int64 (n,), distinct and new; without them, the next numbers."""
        first, n_slots = self.n_slots, self.n_slots + n
        if self._ids is not None:
            longer = _lengthened(self._ids, n_slots)
            longer[first:n_slots] = self.next_id + np.arange(n) if ids is None else ids  # arange has no 2^63 to end at
            if self._table is not None:
                self._table.insert(longer[:n_slots], first)
            self._ids = longer
        self.n_slots = n_slots
        self.next_id = self.next_id + n if ids is None else max(self.next_id, int(ids.max()) + 1)

    def forget(self, slots: NDArray[np.int64]) -> None:
        """Note that ``slots`` were removed."""
        if self._ids is not None:
            self._ids[slots] = -1

    def compacted(self, slots: NDArray[np.int64]) -> Self:
        """Return the map of slots 0, 1, ... that stand for ``slots``."""
        return type(self)(len(slots), ids=self.of(slots).copy(), next_id=self.next_id)


def check_room(next_id: int, n: int) -> None:
    """Raise InvalidInputError unless ``n`` ids are left from ``next_id`` on."""
    if next_id > MAX_ID + 1 - n:
        raise InvalidInputError(f"no {n} ids are left after {next_id - 1}; give ids of your own.")


def _lengthened(ids: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return ``ids``, or a longer copy that fills the blocks of ``n`` slots, with room to keep appends cheap."""
    n_filled = -(-n // LANES) * LANES
    if n_filled <= len(ids):
        return ids
    longer = np.full(max(n_filled, len(ids) * 3 // 2), -1, np.int64)
    longer[: len(ids)] = ids
    return longer
