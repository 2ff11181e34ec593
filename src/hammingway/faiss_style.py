"""Binary indexes with the calls, the arrays and the conventions of faiss, over Hammingway's own.

Written for code that uses faiss: change ``import faiss`` to ``import hammingway.faiss_style as faiss``
and ``IndexBinaryFlat``, ``IndexBinaryIDMap``, ``IndexBinaryIDMap2``, ``IndexBinaryIVF`` and
``IndexBinaryHash`` go on working; other names of faiss say what to use here. Codes are packed uint8
(n, d / 8) in faiss's bit order, which is Hammingway's too.

What differs from faiss 1.15, all of it on purpose:

- Results of ``search`` are sorted by (distance, id); faiss leaves open which of the equals come first.
- Errors are :class:`~hammingway.errors.InvalidInputError` (a ValueError) with a sentence, where faiss
  raises AssertionError, RuntimeError or TypeError, and arrays that faiss would misread are refused.
- Ids of an ``IndexBinaryIDMap`` are distinct and not negative; faiss accepts any.

The rest of the package says radius for an inclusive one; here ``range_search`` is **strict**, as in faiss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.codes import Codes, check_n_bits
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.ids import check_code_ids, check_ids, distinct
from hammingway.indexes import FlatIndex, IVFIndex, TableIndex
from hammingway.kernels.layout import count_of

__all__ = ["IndexBinaryFlat", "IndexBinaryHash", "IndexBinaryIDMap", "IndexBinaryIDMap2", "IndexBinaryIVF"]

_NO_LIMIT = 2**62
_INSTEAD = {  # beginnings of names in faiss -> what to use
    "IndexBinaryMultiHash": "hammingway.MultiIndex looks into several tables too, and is exact: it has no nflip",
    "IndexBinaryHNSW": "there are no graphs; IndexBinaryIVF is for many codes",
    "IndexBinaryFromFloat": "a hasher, such as hammingway.SignHash, makes codes of vectors to add to an index here",
    "IndexLSH": "hammingway.RandomHyperplanes makes the codes, to add to an IndexBinaryFlat",
    "index_": "name the class: 'BFlat' is IndexBinaryFlat(d), 'BIVF9' IndexBinaryIVF(IndexBinaryFlat(d), d, 9)",
    "write_index": "save the codes as an array, or use an index of hammingway, which has save",
    "read_index": "add the codes from an array; hammingway.load_index reads what an index of hammingway saved",
    "IDSelector": "hammingway.Filter is for where= of an index of hammingway",
}
_NO_DISTANCE = np.iinfo(np.int32).max  # what faiss writes beside id -1


class _BinaryIndex:
    """What the binary indexes of faiss share; ``d``, ``D`` and ``I`` are its names.

    Parameters
    ----------
    d : bits a code, a multiple of 8 up to 4096.

    Attributes
    ----------
    d : bits a code.
    code_size : bytes a code.
    """

    _index: FlatIndex | IVFIndex

    def __init__(self, d: int) -> None:
        self.d = check_n_bits(d)
        if self.d % 8:
            raise InvalidInputError(f"d must be a multiple of 8 bits; got {d}. FlatIndex takes any width.")
        self.code_size = self.d // 8
        self._index = self._emptied()

    @property
    def is_trained(self) -> bool:
        """Always True: there is nothing to learn."""
        return True

    @property
    def ntotal(self) -> int:
        """Codes in the index."""
        return len(self._index)

    def train(self, x: ArrayLike) -> None:
        """Do nothing but check ``x``, uint8 (n, d / 8)."""
        self._codes(x)

    def search(self, x: ArrayLike, k: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return distances D and ids I of the ``k`` nearest codes of each query.

        Parameters
        ----------
        x : uint8 (n, d / 8).
        k : neighbours a query, from 1.

        Returns
        -------
        D : int32 (n, k), Hamming distances in bits, ascending; 2147483647 beside id -1.
        I : int64 (n, k), equal distances in id order; -1 where there are fewer than k codes.
        """
        found = self._index.search(self._codes(x), k)
        return np.where(found.ids < 0, _NO_DISTANCE, found.distances).astype(np.int32), found.ids

    def range_search(
        self, x: ArrayLike, radius: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.int64]]:
        """Return all codes **nearer than** ``radius`` bits: that distance itself is not included.

        Parameters
        ----------
        x : uint8 (n, d / 8).
        radius : whole number of bits; 0 and below return nothing, 1 the equal codes.

        Returns
        -------
        lims : uint64 (n + 1,); query ``i`` owns ``D[lims[i]:lims[i + 1]]`` and the same part of ``I``.
        D : float32 (n_found,), as in faiss, though the distances are whole bits.
        I : int64 (n_found,), ascending within a query.
        """
        if isinstance(radius, bool | np.bool_) or not isinstance(radius, int | np.integer):
            raise InvalidInputError(f"radius must be a whole number of bits; got {radius!r}.")
        codes = self._codes(x)
        if radius <= 0:
            return np.zeros(len(codes) + 1, np.uint64), np.empty(0, np.float32), np.empty(0, np.int64)
        found = self._index.search_radius(codes, int(radius) - 1)
        order = np.lexsort((found.ids, np.repeat(np.arange(len(found)), found.counts)))
        return (
            found.offsets.astype(np.uint64),
            found.distances[order].astype(np.float32),
            found.ids[order].astype(np.int64),
        )

    def reset(self) -> None:
        """Remove every code."""
        self._index = self._emptied()

    def _emptied(self) -> FlatIndex | IVFIndex:
        return FlatIndex(self.d)

    def _codes(self, x: ArrayLike) -> Codes:
        array = np.asarray(x)
        if array.dtype != np.uint8:
            raise InvalidInputError(f"codes must be packed uint8; got {array.dtype}.")
        if array.ndim != 2 or array.shape[1] != self.code_size:
            raise ShapeError(f"codes must have shape (n, {self.code_size}) for d = {self.d}; got {array.shape}.")
        return Codes(array, self.d)

    def _code_of(self, key: int) -> NDArray[np.uint8]:
        code: NDArray[np.uint8] = self._index.reconstruct([key]).packed[0]
        return code

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ntotal} codes of {self.d} bits)"


class IndexBinaryFlat(_BinaryIndex):
    """Exact search; a code's id is its place: 0, 1, 2, ... without gaps.

    As in faiss, removing codes therefore **shifts the ids** of all that come after them, and takes time
    in proportion to the whole index. Where ids must stay, use :class:`IndexBinaryIDMap` or
    :class:`hammingway.FlatIndex`.

    Parameters
    ----------
    d : bits a code, a multiple of 8 up to 4096.

    Examples
    --------
    >>> index = IndexBinaryFlat(8)
    >>> index.add(np.array([[0], [255], [1]], np.uint8))
    >>> D, I = index.search(np.array([[3]], np.uint8), 2)
    >>> D, I
    (array([[1, 2]], dtype=int32), array([[2, 0]]))
    >>> index.range_search(np.array([[3]], np.uint8), 2)
    (array([0, 1], dtype=uint64), array([1.], dtype=float32), array([2]))
    >>> index.remove_ids(np.array([0]))
    1
    >>> index.search(np.array([[3]], np.uint8), 1)[1]
    array([[1]])
    """

    def add(self, x: ArrayLike) -> None:
        """Add codes, uint8 (n, d / 8), under the next ids."""
        self._index.add(self._codes(x))

    def remove_ids(self, x: ArrayLike) -> int:
        """Remove the codes of ids ``x``, integers (m,), and return how many there were; others are ignored.

        What comes after a removed code moves up: its id becomes smaller.
        """
        gone = _possible_ids(x)
        gone = gone[gone < self.ntotal]
        if len(gone):
            kept = np.setdiff1d(np.arange(self.ntotal), gone, assume_unique=True)
            codes = self._index.reconstruct(kept)
            self._index = FlatIndex(self.d).add(codes)
        return len(gone)

    def reconstruct(self, key: int) -> NDArray[np.uint8]:
        """Return the code of id ``key``, uint8 (d / 8,)."""
        return self._code_of(key)

    def reconstruct_n(self, n0: int = 0, ni: int = -1) -> NDArray[np.uint8]:
        """Return ``ni`` codes from id ``n0`` on, uint8 (ni, d / 8); -1 for all that follow."""
        if ni < -1:
            raise InvalidInputError(f"ni must be a number of codes, or -1 for all that follow; got {ni}.")
        stop = self.ntotal if ni == -1 else n0 + ni
        return self._index.reconstruct(np.arange(n0, stop)).packed


class IndexBinaryIDMap(_BinaryIndex):
    """Exact search under ids of your own, which removal leaves alone; removal takes constant time a code.

    Parameters
    ----------
    index : an empty :class:`IndexBinaryFlat`, which says how wide the codes are.

    Examples
    --------
    >>> index = IndexBinaryIDMap(IndexBinaryFlat(8))
    >>> index.add_with_ids(np.array([[0], [255]], np.uint8), np.array([70, 40]))
    >>> index.remove_ids(np.array([70, 71]))
    1
    >>> index.search(np.array([[0]], np.uint8), 2)
    (array([[         8, 2147483647]], dtype=int32), array([[40, -1]]))
    """

    _index: FlatIndex

    def __init__(self, index: IndexBinaryFlat) -> None:
        if not isinstance(index, IndexBinaryFlat):
            raise InvalidInputError(f"index must be an IndexBinaryFlat; got {type(index).__name__}.")
        if index.ntotal:
            raise InvalidInputError(
                f"index must be empty; it holds {index.ntotal} codes. Add them here with their ids."
            )
        super().__init__(index.d)

    @property
    def id_map(self) -> NDArray[np.int64]:
        """Ids of all codes, int64 (ntotal,), ascending (in faiss: in the order of adding)."""
        return self._index.ids

    def add(self, x: ArrayLike) -> None:
        """Refuse, as faiss does: here every code needs an id."""
        raise InvalidInputError(f"{type(self).__name__} needs an id for each code; use add_with_ids.")

    def add_with_ids(self, x: ArrayLike, ids: ArrayLike) -> None:
        """Add codes, uint8 (n, d / 8), under ``ids``, integers (n,), new and distinct."""
        codes = self._codes(x)
        self._index.add(codes, check_code_ids(ids, len(codes)))

    def remove_ids(self, x: ArrayLike) -> int:
        """Remove the codes of ids ``x``, integers (m,), and return how many there were; others are ignored."""
        wanted = _possible_ids(x)
        # One look-up for all; asking `in` for each takes a thousand times as long.
        return self._index.remove(wanted[self._index._slots(wanted) >= 0])


class IndexBinaryIDMap2(IndexBinaryIDMap):
    """The same, with :meth:`reconstruct`: faiss keeps a second table for it, here none is needed.

    Examples
    --------
    >>> index = IndexBinaryIDMap2(IndexBinaryFlat(8))
    >>> index.add_with_ids(np.array([[9]], np.uint8), np.array([70]))
    >>> index.reconstruct(70)
    array([9], dtype=uint8)
    """

    def reconstruct(self, key: int) -> NDArray[np.uint8]:
        """Return the code of id ``key``, uint8 (d / 8,)."""
        return self._code_of(key)


class _Numbered(_BinaryIndex):
    """An index in which ids stay with their codes, given or counted up."""

    def add(self, x: ArrayLike) -> None:
        """Add codes, uint8 (n, d / 8), under the numbers after the largest id ever given, from 0."""
        self._trained().add(self._codes(x))

    def add_with_ids(self, x: ArrayLike, ids: ArrayLike) -> None:
        """Add codes, uint8 (n, d / 8), under ``ids``, integers (n,), new and distinct."""
        codes = self._codes(x)
        self._trained().add(codes, check_code_ids(ids, len(codes)))

    def _trained(self) -> FlatIndex | IVFIndex:
        if not self.is_trained:
            raise InvalidInputError("the index has no centres yet; train it on a sample of the codes first.")
        return self._index


class IndexBinaryIVF(_Numbered):
    """Approximate search in the cells nearest to the query, by :class:`hammingway.IVFIndex`; ids stay with their codes.

    Parameters
    ----------
    quantizer : an :class:`IndexBinaryFlat` of as wide codes: empty, and :meth:`train` finds the centres; or with
        ``nlist`` codes, which are the centres.
    d, nlist : bits a code, as of the quantizer; cells, from 1, fewer where fewer distinct codes are trained on.

    Examples
    --------
    >>> quantizer = IndexBinaryFlat(8)
    >>> quantizer.add(np.array([[0], [255]], np.uint8))
    >>> index = IndexBinaryIVF(quantizer, 8, 2)
    >>> index.add(np.array([[1], [254], [15]], np.uint8))
    >>> index.search(np.array([[0]], np.uint8), 3)
    (array([[         1,          4, 2147483647]], dtype=int32), array([[ 0,  2, -1]]))
    """

    _index: IVFIndex

    def __init__(self, quantizer: IndexBinaryFlat, d: int, nlist: int) -> None:
        self.nlist, self._nprobe = count_of("nlist", nlist, 1), 1
        self._centres: Codes | None = None
        super().__init__(d)
        if not isinstance(quantizer, IndexBinaryFlat) or quantizer.d != self.d:
            raise InvalidInputError(f"quantizer must be an IndexBinaryFlat of {d} bits; got {quantizer!r}.")
        if quantizer.ntotal not in (0, self.nlist):
            raise InvalidInputError(f"quantizer must be empty or hold {nlist} centres; got {quantizer.ntotal} codes.")
        if quantizer.ntotal:
            self._keep(Codes(quantizer.reconstruct_n(), self.d))

    @property
    def nprobe(self) -> int:
        """Cells a query scans, 1 unless set."""
        return self._nprobe

    @nprobe.setter
    def nprobe(self, value: int) -> None:
        self._nprobe = self._index.n_probe = count_of("nprobe", value, 1)

    def train(self, x: ArrayLike) -> None:
        """Find the centres by clustering ``x``, uint8 (n, d / 8), at least ``nlist`` codes, unless they are there."""
        codes = self._codes(x)
        if self.is_trained:
            return
        if len(codes) < self.nlist:
            raise InvalidInputError(f"{self.nlist} cells need at least as many codes to train on; got {len(codes)}.")
        self._keep(IVFIndex(self.d, n_cells=self.nlist).fit(codes).centres)

    def remove_ids(self, x: ArrayLike) -> int:
        """Remove the codes of ids ``x``, integers (m,), and return how many there were; others are ignored."""
        return self._index.remove(np.intersect1d(_possible_ids(x), self._index.ids))

    @property
    def is_trained(self) -> bool:
        """Whether the centres are known."""
        return self._centres is not None

    def _keep(self, centres: Codes) -> None:
        self._centres = centres
        self.reset()

    def _emptied(self) -> IVFIndex:
        return IVFIndex(self.d, n_probe=self._nprobe, centres=self._centres)


class IndexBinaryHash(_Numbered):
    """Approximate search of the codes whose first ``b`` bits differ little from the query's, by one table.

    Parameters
    ----------
    d, b : bits a code, a multiple of 8 up to 4096; bits of the key, 1 to 64.

    Examples
    --------
    >>> index = IndexBinaryHash(8, 4)
    >>> index.add(np.array([[0], [240], [1]], np.uint8))
    >>> index.search(np.array([[0]], np.uint8), 2)
    (array([[0, 4]], dtype=int32), array([[0, 1]]))
    """

    _index: TableIndex

    def __init__(self, d: int, b: int) -> None:
        self.b, self._nflip = count_of("b", b, 1), 0
        super().__init__(d)

    @property
    def nflip(self) -> int:
        """Bits of the key to flip at most, 0 unless set; 3 of 30 bits are 4,526 look-ups a query."""
        return self._nflip

    @nflip.setter
    def nflip(self, value: int) -> None:
        self._nflip = self._index.max_flips = count_of("nflip", value, 0)

    def _emptied(self) -> TableIndex:
        return TableIndex(self.d, bits=range(self.b), max_flips=self._nflip, max_probes=_NO_LIMIT)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'hammingway.faiss_style' has no attribute {name!r}")
    instead = [use for start, use in _INSTEAD.items() if name.startswith(start)]
    raise AttributeError(f"faiss_style has no {name!r}: {(*instead, f'what there is: {__all__}')[0]}.")


def _possible_ids(x: ArrayLike) -> NDArray[np.int64]:
    """Return the ids of ``x`` that a code could have, each once, ascending."""
    ids = np.asarray(x)
    return distinct(check_ids(ids[ids >= 0] if ids.dtype.kind == "i" and ids.ndim == 1 else ids))
