"""Codes in cells: blocks of bit planes that belong to one cell each, with the ids of their slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hammingway.indexes.bias_store import BiasStore
from hammingway.indexes.plane_store import PlaneStore
from hammingway.indexes.slot_table import SlotTable
from hammingway.kernels import LANES, top_k
from hammingway.kernels.cells import Celled
from hammingway.kernels.live_planes import plane_of_mask, set_bits
from hammingway.progress import row_chunks

__all__ = ["CellStore"]

_ROWS = 128 * LANES  # copied at a time
_PART = 1 << 20  # put into cells at a time: some ten numbers a code


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Which cell each block belongs to, and how full each cell's last block is; replaced whole.

    Parameters
    ----------
    cell_of_block : int32 (n_blocks,).
    blocks, offsets : the blocks of the cells, see :class:`hammingway.kernels.cells.Celled`.
    last : int64 (n_cells,), the block a cell appends to; -1 where it has none.
    n_in_last : int64 (n_cells,), slots given out there, 1 to 512; 512 where it has none.
    reach : int32 (n_cells,), no code was ever put farther from the centre, in bits; -1 where none was put.
    """

    cell_of_block: NDArray[np.int32]
    blocks: NDArray[np.int64]
    offsets: NDArray[np.int64]
    last: NDArray[np.int64]
    n_in_last: NDArray[np.int64]
    reach: NDArray[np.int32]


class CellStore:
    """Codes in the cells of their nearest centres, a cell in blocks of its own; its last block may be part filled.

    Parameters
    ----------
    centres : the cells' centres, uint8 (n_cells, ceil(n_bits / 8)), at least one.
    n_bits : bits a code.
    next_id : what the first unnamed code gets.

    Attributes
    ----------
    store : the blocks.
    next_id : one more than the largest id ever given; what an unnamed code gets.
    biases : of all slots; None where the codes have none.
    """

    def __init__(self, centres: NDArray[np.uint8], n_bits: int, *, next_id: int = 0) -> None:
        self.centres = PlaneStore(n_bits)
        self.centres.append(centres)
        self.store = PlaneStore(n_bits)
        self.next_id = next_id
        self.biases: BiasStore | None = None
        self._ids = np.empty(0, np.int64)
        self._table: SlotTable | None = None
        self._sizes: tuple[int, NDArray[np.int64]] | None = None
        self._filled: tuple[int, int, NDArray[np.uint64]] | None = None
        n_cells = len(centres)
        self._layout = _Layout(
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.zeros(n_cells + 1, np.int64),
            np.full(n_cells, -1, np.int64),
            np.full(n_cells, LANES, np.int64),
            np.full(n_cells, -1, np.int32),
        )

    @classmethod
    def from_blocks(
        cls,
        centres: NDArray[np.uint8],
        planes: NDArray[np.uint64],
        sizes: NDArray[np.int64],
        reach: NDArray[np.int32],
        ids: NDArray[np.int64],
        *,
        next_id: int,
        bias: NDArray[np.float32] | None = None,
    ) -> Self:
        """Return a store over ``planes``, the blocks of each cell in turn, which ``ids``, cell after cell, fill.

        Parameters
        ----------
        planes : uint64 (n_blocks, n_bits, 8), writable; not copied. Cell c has ceil(sizes[c] / 512) blocks.
        reach : int32 (n_cells,), see :meth:`reach_of_cells`.
        ids, bias : int64 and float32 (n_codes,), in the order of the slots.
        """
        cells = cls(centres, planes.shape[1], next_id=next_id)
        n_blocks = -(-sizes // LANES)
        ends = np.cumsum(n_blocks)
        slots = np.arange(len(ids)) + np.repeat((ends - n_blocks) * LANES - (np.cumsum(sizes) - sizes), sizes)
        cells.store = PlaneStore.from_arrays(planes, set_bits(slots, len(planes)), len(planes) * LANES)
        cells._ids = np.full(len(planes) * LANES, -1, np.int64)
        cells._ids[slots] = ids
        if bias is not None:
            cells.biases = BiasStore()
            cells.biases.put_at(bias, slots, len(planes))
        cells._layout = _Layout(
            np.repeat(np.arange(len(sizes), dtype=np.int32), n_blocks),
            np.arange(len(planes)),
            np.concatenate([[0], ends]),
            np.where(n_blocks > 0, ends - 1, -1),
            np.where(n_blocks > 0, sizes - (n_blocks - 1) * LANES, LANES),
            reach,
        )
        return cells

    @property
    def n_cells(self) -> int:
        """Cells, empty ones among them."""
        return self.centres.n_slots

    @property
    def size_bytes(self) -> int:
        """Bytes of blocks, centres, biases, ids and what finds them."""
        layout = self._layout
        parts = layout.cell_of_block, layout.blocks, layout.offsets, layout.last, layout.n_in_last, layout.reach
        arrays = sum(part.nbytes for part in parts) + self._ids.nbytes
        table = 0 if self._table is None else self._table.size_bytes
        biases = 0 if self.biases is None else self.biases.size_bytes
        return self.store.size_bytes + self.centres.size_bytes + biases + arrays + table

    @property
    def stored(self) -> NDArray[np.int64]:
        """Ids of the slots of all blocks, int64 (n_slots,), -1 where none lives."""
        return self._ids[: self.store.n_slots]

    @property
    def n_dead(self) -> int:
        """Slots that held a code and hold none now."""
        return self.store.n_slots - int((LANES - self._layout.n_in_last).sum()) - self.store.n_live

    @property
    def reach(self) -> int:
        """Bits between the code that was put farthest from its centre and that centre; -1 where none was put."""
        return int(self._layout.reach.max())

    def centre_rows(self) -> NDArray[np.uint8]:
        """Return the centres, uint8 (n_cells, ceil(n_bits / 8))."""
        return self.centres.rows(np.arange(self.n_cells))

    def reach_of_cells(self) -> NDArray[np.int32]:
        """Return the distance beyond which no code of a cell lies from its centre, int32 (n_cells,); -1: no code."""
        return self._layout.reach

    def celled(self, live: NDArray[np.uint64]) -> Celled:
        """Return what a search in cells reads, with these live planes."""
        return Celled(self.store.planes, live, self.stored, self._layout.blocks, self._layout.offsets)

    def sizes(self, live: NDArray[np.uint64] | None = None) -> NDArray[np.int64]:
        """Return how many codes each cell holds, or how many of them live in ``live``, int64 (n_cells,)."""
        if live is not None:
            return self._count(live)
        made = self._sizes
        if made is None or made[0] != self.store.n_changes:
            made = self.store.n_changes, self._count(self.store.live)
            self._sizes = made
        return made[1]

    def filled(self) -> tuple[int, NDArray[np.uint64]]:
        """Return how many cells hold a code, and a plane of them, uint64 (n_blocks of the centres, 8)."""
        made = self._filled
        if made is None or made[0] != self.store.n_changes:
            holds = self.sizes() > 0
            plane = plane_of_mask(holds, self.centres.n_blocks)
            self._filled = made = self.store.n_changes, int(np.count_nonzero(holds)), plane
        return made[1], made[2]

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each id's code, -1 where there is none."""
        # Threads may look up at once: each builds the same table, and the last one stays.
        table = self._table
        if table is None or table.n_slots != len(self.stored):
            self._table = table = SlotTable(self.stored)
        return table.find(ids, self.stored)

    def append(
        self,
        packed: NDArray[np.uint8],
        ids: NDArray[np.int64],
        *,
        bias: NDArray[np.float32] | None = None,
        n_threads: int | None,
    ) -> None:
        """Put codes, uint8 (n, ceil(n_bits / 8)), under ``ids``, new and distinct, into their cells, or none.

        Parameters
        ----------
        bias : float32 (n,), given if and only if the codes that live here have one.
        """
        live, n_slots, layout, biases = self.store.live.copy(), self.store.n_slots, self._layout, self.biases
        table, self._table = self._table, None
        try:
            self.biases = None if bias is None else biases or BiasStore()
            for part in row_chunks(len(packed), _PART):
                slots, order = self._append_part(packed[part], ids[part], n_threads)
                if self.biases is not None and bias is not None:
                    self.biases.put_at(bias[part][order], slots, self.store.n_blocks)
                if table is not None:
                    table.insert_at(slots, self.stored)
        except BaseException:  # no memory, or Ctrl-C, which is raised once the kernel is done
            self.store.restore(live, n_slots)
            self._ids[~self._is_live()] = -1
            self._layout, self.biases = layout, biases  # what free slots were given is overwritten
            raise
        self._table, self.next_id = table, max(self.next_id, int(ids.max(initial=-1)) + 1)

    def _append_part(
        self, packed: NDArray[np.uint8], ids: NDArray[np.int64], n_threads: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Put codes into their cells and return their slots, in the order of the cells, and which code is in each."""
        cells, distances = self.assign(packed, n_threads=n_threads)
        order = np.argsort(cells, kind="stable")
        slots, n_new, layout = self._places_for(cells[order])
        np.maximum.at(layout.reach, cells, distances)
        self.store.add_blocks(n_new)
        self._reserve_ids()
        for chunk in row_chunks(len(order), _ROWS):
            self.store.put(packed[order[chunk]], slots[chunk])
        self._ids[slots] = ids[order]
        self._layout = layout
        return slots, order

    def _is_live(self) -> NDArray[np.bool_]:
        """Return which slots live, bool (room for ids,)."""
        alive = np.zeros(len(self._ids), np.bool_)
        alive[self.store.live_slots()] = True
        return alive

    def assign(
        self, packed: NDArray[np.uint8], *, n_threads: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the cell of each code, int64 (n,), and its distance from the centre in bits; ties: the first cell."""
        cells, distances = top_k(self.centres.planes, self.centres.live, packed, 1, n_threads=n_threads)
        return cells[:, 0], distances[:, 0]

    def remove(self, slots: NDArray[np.int64]) -> None:
        """Remove the codes in ``slots``, which are live and distinct."""
        try:
            self.store.kill(slots)
        finally:
            self._ids[slots] = -1

    def live_rows(self, ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the codes at ``ranks`` among those that live, in the order of their slots."""
        order = np.argsort(ranks)
        packed = np.empty((len(ranks), -(-self.store.n_bits // 8)), np.uint8)
        packed[order] = self.store.rows(self.store.live_slots()[ranks[order]])
        return packed

    def in_cell_order(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32] | None]]:
        """Yield all codes, their ids and their biases, cell after cell, in parts."""
        lanes = np.arange(LANES)
        for start in range(0, len(self._layout.blocks), _ROWS // LANES):
            blocks = self._layout.blocks[start : start + _ROWS // LANES]
            slots = (blocks[:, None] * LANES + lanes).reshape(-1)
            slots = slots[self.stored[slots] >= 0]
            yield self.store.rows(slots), self.stored[slots], None if self.biases is None else self.biases.of(slots)

    def moved(self, centres: NDArray[np.uint8], *, n_threads: int | None) -> Self:
        """Return a store of its own memory with the same codes in the cells of ``centres``."""
        store = type(self)(centres, self.store.n_bits, next_id=self.next_id)
        store.store.reserve(self.store.n_live + len(centres) * LANES)
        for packed, ids, bias in self.in_cell_order():
            if len(ids):
                store.append(packed, ids, bias=bias, n_threads=n_threads)
        return store

    def _count(self, live: NDArray[np.uint64]) -> NDArray[np.int64]:
        counts = np.bitwise_count(live).sum(axis=1)
        return np.bincount(self._layout.cell_of_block, counts, minlength=self.n_cells).astype(np.int64)

    def _places_for(self, cells: NDArray[np.int64]) -> tuple[NDArray[np.int64], int, _Layout]:
        """Return slots for codes of ``cells``, ascending; the new blocks they take; the layout with them."""
        old = self._layout
        counts = np.bincount(cells, minlength=self.n_cells)
        free = LANES - old.n_in_last
        spill = np.maximum(counts - free, 0)
        n_new = -(-spill // LANES)
        first_new = len(old.cell_of_block) + np.cumsum(n_new) - n_new
        rank = np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts)
        in_last = old.last[cells] * LANES + old.n_in_last[cells] + rank
        in_new = first_new[cells] * LANES + rank - free[cells]
        slots = np.where(rank < free[cells], in_last, in_new)
        last = np.where(n_new > 0, first_new + n_new - 1, old.last)
        n_in_last = np.where(n_new > 0, spill - (n_new - 1) * LANES, old.n_in_last + counts)
        cell_of_block = np.concatenate([old.cell_of_block, np.repeat(np.arange(self.n_cells, dtype=np.int32), n_new)])
        blocks = np.argsort(cell_of_block, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(cell_of_block, minlength=self.n_cells))])
        layout = _Layout(cell_of_block, blocks, offsets, last, n_in_last, old.reach.copy())
        return slots, int(n_new.sum()), layout

    def _reserve_ids(self) -> None:
        n_slots = self.store.n_slots
        if n_slots > len(self._ids):
            longer = np.full(max(n_slots, len(self._ids) * 3 // 2 // LANES * LANES), -1, np.int64)
            longer[: len(self._ids)] = self._ids
            self._ids = longer
