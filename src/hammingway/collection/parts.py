"""What a search scans: codes on bit planes under ascending or recent keys, mapped or in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hammingway.collection.names import Names
from hammingway.collection.records import Manifest, SegmentRecord
from hammingway.collection.segments import MappedArray
from hammingway.kernels import LANES, read_rows, write_rows
from hammingway.kernels.live_planes import clear_bits, count_bits, slots_of_bits

__all__ = ["Part", "Snapshot"]

_FEW = 8


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Codes in slots 0, 1, ...; never changed once others can see it.

    Parameters
    ----------
    planes : uint64 (n_blocks, n_bits, 8).
    live : uint64 (n_blocks, 8); a slot without its bit is never found.
    n_slots : slots in use, dead ones among them.
    first_key : key of slot 0 where ``keys`` is None.
    keys : int64 (n_slots,); None: slot s has key ``first_key + s``.
    ascending : whether keys ascend; those of recent writes need not.
    originals : (n_slots, n_features) or None.
    names : string ids of the slots, or None where ids are integers.
    record : the segment this is; None for what the database holds.
    files : mapped arrays whose digests are checked before use.
    """

    planes: NDArray[np.uint64]
    live: NDArray[np.uint64]
    n_slots: int
    first_key: int = 0
    keys: NDArray[np.int64] | None = None
    ascending: bool = True
    originals: NDArray[Any] | None = None
    names: Names | None = None
    record: SegmentRecord | None = None
    files: dict[str, MappedArray] = field(default_factory=dict)

    @classmethod
    def in_memory(
        cls,
        keys: NDArray[np.int64],
        packed: NDArray[np.uint8],
        *,
        originals: NDArray[Any] | None,
        names: Names | None,
        n_bits: int,
    ) -> Self:
        """Return a part of these codes, uint8 (n, ceil(n_bits / 8)), all live."""
        n_blocks = -(-len(keys) // LANES)
        planes = np.zeros((n_blocks, n_bits, LANES // 64), np.uint64)
        live = np.zeros((n_blocks, LANES // 64), np.uint64)
        if len(keys):
            write_rows(planes, live, packed, 0)
        return cls(planes, live, len(keys), keys=keys, ascending=False, originals=originals, names=names)

    @property
    def n_live(self) -> int:
        """Codes that can be found."""
        return count_bits(self.live)

    @property
    def tie_keys(self) -> NDArray[np.int64] | None:
        """What orders equal distances for the kernel; None where slots already have that order."""
        return None if self.ascending else self.keys

    def check(self) -> None:
        """Raise FileFormatError unless the planes and keys are as they were written."""
        for name in ("planes", "keys"):
            if name in self.files:
                self.files[name].check()

    def live_slots(self) -> NDArray[np.int64]:
        """Return the slots that hold a code, int64 (n_live,), ascending."""
        return slots_of_bits(self.live)

    def keys_of(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the keys of ``slots``."""
        if self.keys is None:
            return slots + self.first_key
        if "keys" in self.files:
            self.files["keys"].check_rows(slots)
        return self.keys[slots]

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each key's code, int64 (len(keys),); -1 where none is live."""
        if self.record is not None:
            near = (keys >= self.record.first_key) & (keys <= self.record.last_key)
            if not near.all():
                slots = np.full(len(keys), -1, np.int64)
                slots[near] = self.find(keys[near])
                return slots
        slots = self._slots(keys)
        known = np.flatnonzero(slots >= 0)
        slots[known[~self._is_live(slots[known])]] = -1
        return slots

    def find_names(
        self, names: Sequence[str], hashes: NDArray[np.uint64], chosen: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the slot of each of the ``chosen`` names' codes, int64 (len(chosen),); -1 where none is live."""
        found = np.full(len(chosen), -1, np.int64)
        if self.names is not None:
            asked, slots = self.names.candidates(hashes[chosen])
            live = self._is_live(slots)
            asked, slots = asked[live], slots[live]
            # Names may share a hash.
            same = [text == names[i] for i, text in zip(chosen[asked].tolist(), self.names.texts(slots), strict=True)]
            found[asked[same]] = slots[same]
        return found

    def _is_live(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        words = self.live.reshape(-1)[slots >> 6]
        bits: NDArray[np.bool_] = (words >> (slots & 63).astype(np.uint64)) & np.uint64(1) != 0
        return bits

    def rows(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the codes in ``slots``, uint8 (n, ceil(n_bits / 8))."""
        if "planes" in self.files:
            self.files["planes"].check_rows(slots // LANES)
        return read_rows(self.planes, slots)

    def originals_of(self, slots: NDArray[np.int64]) -> NDArray[Any] | None:
        """Return the stored vectors of ``slots``, (n, n_features), or None where none are kept."""
        if self.originals is None:
            return None
        if "originals" in self.files:
            self.files["originals"].check_rows(slots)
        return np.asarray(self.originals[slots])

    def without(self, slots: NDArray[np.int64]) -> Self:
        """Return the part without the codes in ``slots``."""
        return self.with_live(clear_bits(self.live, slots))

    def with_live(self, live: NDArray[np.uint64]) -> Self:
        """Return the part with other live planes, uint64 (n_blocks, 8)."""
        return replace(self, live=live)

    def _slots(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each key, live or not; -1 where there is none."""
        if not self.n_slots or not len(keys):
            return np.full(len(keys), -1, np.int64)
        if self.keys is None:
            slots = keys - self.first_key
            return np.where((slots >= 0) & (slots < self.n_slots), slots, -1)
        if "keys" in self.files:
            self.files["keys"].check()
        if self.ascending:
            places = np.minimum(np.searchsorted(self.keys, keys), self.n_slots - 1)
            return np.where(self.keys[places] == keys, places, -1)
        return self._slots_of_recent(keys)

    def _slots_of_recent(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Look among live slots only: a key that was replaced is there twice, once live."""
        live = self.live_slots()
        present = self.keys_of(live)
        if not len(live):
            return np.full(len(keys), -1, np.int64)
        if len(keys) <= _FEW:
            # A few look-ups cost less than a sort.
            hits = present[None, :] == keys[:, None]
            return np.where(hits.any(axis=1), live[hits.argmax(axis=1)], -1)
        order = np.argsort(present)
        places = np.minimum(np.searchsorted(present, keys, sorter=order), len(order) - 1)
        found = order[places]
        return np.where(present[found] == keys, live[found], -1)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One state of a collection: what its manifest says, its segments and its recent writes."""

    manifest: Manifest
    segments: tuple[Part, ...]
    recent: Part

    @property
    def parts(self) -> Sequence[Part]:
        """All parts, each key live in at most one of them."""
        return (*self.segments, self.recent)

    def find(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the part of each key's code, as an index of ``parts``, and its slot there; -1 and -1 where none."""
        if np.any(keys[1:] < keys[:-1]):
            # Sorted keys walk through a segment's keys in one direction: many times as fast as jumps.
            order = np.argsort(keys)
            found = np.empty((2, len(keys)), np.int64)
            found[:, order] = self.find(keys[order])
            return found[0], found[1]
        owners, slots = np.full(len(keys), -1, np.int64), np.full(len(keys), -1, np.int64)
        for i, part in enumerate(self.parts):
            open_ = np.flatnonzero(owners < 0)
            found = part.find(keys[open_])
            hit = found >= 0
            owners[open_[hit]], slots[open_[hit]] = i, found[hit]
        return owners, slots

    def contents(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[Any] | None]:
        """Return the codes of ``keys``, all present, uint8 (len(keys), ...), and their original vectors if kept."""
        owners, slots = self.find(keys)
        manifest = self.manifest
        codes, vectors = np.empty((len(keys), -(-manifest.n_bits // 8)), np.uint8), None
        if manifest.originals is not None and manifest.n_features is not None:
            vectors = np.empty((len(keys), manifest.n_features), manifest.originals)
        for i in np.unique(owners).tolist():
            mine = owners == i
            codes[mine] = self.parts[i].rows(slots[mine])
            if vectors is not None:
                vectors[mine] = self.parts[i].originals_of(slots[mine])
        return codes, vectors

    def find_names(self, names: Sequence[str], hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the key of each name's code, int64 (len(names),); -1 where there is none.

        Parameters
        ----------
        hashes : uint64 (len(names),), as :class:`Names` has them.
        """
        keys = np.full(len(names), -1, np.int64)
        open_ = np.argsort(hashes)  # sorted needles walk through an index in one direction
        for part in self.parts:
            slots = part.find_names(names, hashes, open_)
            hit = slots >= 0
            keys[open_[hit]] = part.keys_of(slots[hit])
            open_ = open_[~hit]
        return keys

    def names_of(self, keys: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return the names of ``keys``, all present, str objects (len(keys),)."""
        owners, slots = self.find(keys)
        names = np.empty(len(keys), object)
        for i, part in enumerate(self.parts):
            mine = np.flatnonzero(owners == i)
            if part.names is not None and len(mine):
                names[mine] = part.names.texts(slots[mine])
        return names
