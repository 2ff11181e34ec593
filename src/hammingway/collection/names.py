"""String ids as arrays: text, where each ends, and hashes to find them by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hammingway.collection.segments import MappedArray

__all__ = ["Names"]


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The names of slots 0, 1, ..., n - 1; never changed.

    Parameters
    ----------
    text : uint8, the names in UTF-8, one after another.
    ends : unsigned (n,), where each ends in ``text``.
    hashes : uint64 (n,), a hash a name: that of slot i, or ascending where ``slots`` are given.
    slots : unsigned (n,), whose hash each is; None where they are in the order of slots.
    files : mapped arrays whose digests are checked before use, by the names of these parameters.
    """

    text: NDArray[np.uint8]
    ends: NDArray[np.unsignedinteger]
    hashes: NDArray[np.uint64]
    slots: NDArray[np.unsignedinteger] | None = None
    files: dict[str, MappedArray] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Return these names, none of which holds NUL, in memory.

        Examples
        --------
        >>> Names.of(["a", "bcd"]).texts(np.array([1]))
        ['bcd']
        """
        encoded = "\0".join(names).encode().split(b"\0") if len(names) else []
        ends = np.cumsum(np.fromiter(map(len, encoded), np.uint64, len(encoded)), dtype=np.uint64)
        digests = b"".join([blake2b(name, digest_size=8).digest() for name in encoded])
        hashes = np.frombuffer(digests, "<u8").astype(np.uint64, copy=False)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends, hashes)

    def __len__(self) -> int:
        return len(self.ends)

    def followed_by(self, others: Self) -> Self:
        """Return these names and others after them, both in the order of slots."""
        return type(self)(
            np.concatenate([self.text, others.text]),
            np.concatenate([self.ends, others.ends + np.uint64(len(self.text))]),
            np.concatenate([self.hashes, others.hashes]),
        )

    def lengths(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bytes of the names of ``slots``, int64 (len(slots),)."""
        starts, ends = self._spans(slots)
        return ends - starts

    def text_of(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the names of ``slots`` in UTF-8, one after another."""
        starts, ends = self._spans(slots)
        if "text" in self.files:
            self.files["text"].check_rows(starts, ends - 1)
        lengths = ends - starts
        # Place i of the result is byte i of the text moved by how far its name lies from its place here.
        moved = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        return np.asarray(self.text[moved + np.arange(len(moved))])

    def texts(self, slots: NDArray[np.int64]) -> list[str]:
        """Return the names of ``slots``."""
        borders = [0, *np.cumsum(self.lengths(slots)).tolist()]
        text = self.text_of(slots).tobytes()
        return [text[start:end].decode() for start, end in pairwise(borders)]

    def hashes_by_slot(self) -> NDArray[np.uint64]:
        """Return the hash of every slot's name, uint64 (n,)."""
        if self.slots is None:
            return self.hashes
        self._check_index()
        by_slot = np.empty(len(self.hashes), np.uint64)
        by_slot[self.slots] = self.hashes
        return by_slot

    def candidates(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pairs (index of a hash, slot whose name has that hash), all there are."""
        sorted_hashes, slots = self._index(hashes)
        first = np.searchsorted(sorted_hashes, hashes, "left")
        asking = np.flatnonzero(first < len(sorted_hashes))
        asking = asking[sorted_hashes[first[asking]] == hashes[asking]]
        counts = np.searchsorted(sorted_hashes, hashes[asking], "right") - first[asking]
        asked = np.repeat(asking, counts)
        within = np.arange(len(asked)) - np.repeat(np.cumsum(counts) - counts, counts)
        return asked, slots[first[asked] + within].astype(np.int64)

    def _index(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.integer]]:
        """Return ascending hashes and their slots; only such as are asked for, where none are sorted."""
        if self.slots is not None:
            self._check_index()
            return self.hashes, self.slots
        chosen = np.flatnonzero(np.isin(self.hashes, hashes))
        chosen = chosen[np.argsort(self.hashes[chosen], kind="stable")]
        return self.hashes[chosen], chosen

    def _check_index(self) -> None:
        for name in ("hashes", "slots"):
            if name in self.files:
                self.files[name].check()

    def _spans(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if "ends" in self.files:
            self.files["ends"].check_rows(np.maximum(slots - 1, 0), slots)
        starts = np.where(slots > 0, self.ends[slots - 1], 0).astype(np.int64)
        return starts, self.ends[slots].astype(np.int64)
