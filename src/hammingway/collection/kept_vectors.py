"""The original vectors of a snapshot as one source for re-ranking, in the order of their files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hammingway.collection.parts import Snapshot
from hammingway.collection.remedies import Remedy
from hammingway.errors import RefusedError
from hammingway.indexes.file_pages import FilePages
from hammingway.indexes.originals import VectorSource

__all__ = ["KeptVectors"]


class KeptVectors(VectorSource):
    """Original vectors by key: row numbers go through one segment's file after another.

    Parameters
    ----------
    snapshot : of a collection that keeps vectors.

    Raises
    ------
    RefusedError : it keeps none.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        if snapshot.manifest.originals is None:
            raise RefusedError("this collection keeps no vectors to re-rank by", Remedy.KEEP_ORIGINALS)
        self._snapshot = snapshot
        self._firsts = np.cumsum([0, *(part.n_slots for part in snapshot.parts)])
        self._pages = [None if part.originals is None else FilePages(part.originals) for part in snapshot.parts]

    @property
    def n_dims(self) -> int:
        """Numbers a vector; 0 before the first came."""
        return self._snapshot.manifest.n_features or 0

    def rows_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each key, all present, int64 (m,)."""
        owners, slots = self._snapshot.find(keys)
        return self._firsts[owners] + slots

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the vectors of ``rows``, ascending, float64 (m, n_dims), held against their digests."""
        block = np.empty((len(rows), self.n_dims))
        borders = np.searchsorted(rows, self._firsts)
        for i, part in enumerate(self._snapshot.parts):
            mine = slice(int(borders[i]), int(borders[i + 1]))
            pages = self._pages[i]
            if mine.start < mine.stop and pages is not None:
                slots = rows[mine] - self._firsts[i]
                pages.fetch(slots)
                block[mine] = part.originals_of(slots)
        return block
