"""What every index offers, and the checks of what is handed to one."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.code_files import StoredCodes, check_encoder
from hammingway.codes import Codes, check_n_bits
from hammingway.errors import CodeWidthError, InvalidInputError
from hammingway.ids import check_code_ids, name_some
from hammingway.results import Neighbors, Ranges

__all__ = [
    "AnyCodes",
    "Index",
    "check_codes",
    "check_k",
    "check_known_ids",
    "check_n_threads",
    "check_new_ids",
    "check_radius",
]

AnyCodes = Codes | StoredCodes

Find = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""Gives the slot of each id's code, -1 where there is none."""

_MOST_RESULTS = 2**40  # a query; beyond, NumPy says of arrays what it should say of k


class Index(ABC):
    """Codes under ids, searched by Hamming distance; results are sorted by (distance, id).

    A plugin subclasses this, registers the class under the entry-point group
    ``hammingway.indexes`` and runs :func:`hammingway.testing.check_index` over it.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096; codes of another width are refused with CodeWidthError.

    Attributes
    ----------
    exact : True promises the answer of a linear scan; False says that neighbours may be missed.
    encoder : fingerprint of the hasher that made the codes; None if unknown.

    Notes
    -----
    Ids are int64 from 0 to 2^63 - 1, each given once. Any number of threads may search an index
    while none changes it.
    """

    exact: ClassVar[bool]

    def __init__(self, n_bits: int) -> None:
        self._n_bits = check_n_bits(n_bits)
        self._encoder: str | None = None

    @property
    def encoder(self) -> str | None:
        """Fingerprint of the hasher that made the codes, ``hasher.fingerprint()``; None if unknown.

        Set it before saving, and whoever loads the index can tell which queries fit. Where
        :class:`hammingway.code_files.StoredCodes` are added or searched for, their encoder is held against it;
        plain ``Codes`` are taken on trust.
        """
        return self._encoder

    @encoder.setter
    def encoder(self, fingerprint: str | None) -> None:
        self._encoder = check_encoder(fingerprint)

    @property
    def n_bits(self) -> int:
        """Bits a code."""
        return self._n_bits

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Bytes the index holds in memory, room to grow included."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many codes can be found."""

    @abstractmethod
    def add(self, codes: Codes, ids: ArrayLike | None = None) -> Self:
        """Add ``codes`` and return the index.

        Parameters
        ----------
        ids : integers (n,), one a code, new and distinct; without them, the numbers after the
            largest id that was ever given, from 0.

        Raises
        ------
        CodeWidthError, ShapeError, InvalidInputError : and nothing was added.
        """

    @abstractmethod
    def search(self, queries: Codes, k: int) -> Neighbors:
        """Return the ``k`` nearest codes of each query; -1 and ``n_bits + 1`` fill what is not there."""

    @abstractmethod
    def search_radius(self, queries: Codes, radius: int) -> Ranges:
        """Return all codes at a distance of at most ``radius`` bits from each query."""

    @abstractmethod
    def remove(self, ids: ArrayLike) -> int:
        """Remove the codes of ``ids`` and return how many there were.

        Raises
        ------
        InvalidInputError : an id is unknown; nothing was removed.
        """

    @abstractmethod
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to ``path``, whole or not at all."""

    @classmethod
    @abstractmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the index that :meth:`save` wrote; it answers as the saved one did.

        Raises
        ------
        FileNotFoundError : there is no such file.
        FileFormatError : the file is damaged, of another kind or of a newer version.
        """

    def _own_codes(self, given: AnyCodes, *, what: str = "codes") -> Codes:
        """Return codes of this index's width, and of its encoder where both say which; ``what`` names them.

        Raises
        ------
        CodeWidthError, InvalidInputError : they are not.
        """
        if not isinstance(given, StoredCodes):
            check_codes(given, self.n_bits, what=what)
            return given
        check_codes(given.codes, self.n_bits, what=what)
        if given.encoder is not None and self.encoder is not None and given.encoder != self.encoder:
            raise InvalidInputError(
                f"{what} are of encoder {given.encoder}; this index holds codes of {self.encoder}. "
                "Encode them with the hasher that built the index."
            )
        return given.codes

    def _to_add(self, given: AnyCodes, ids: ArrayLike | None) -> tuple[Codes, ArrayLike | None, str | None]:
        """Return codes checked, their ids as given or stored, and the encoder of the index once they are in it.

        Raises
        ------
        CodeWidthError, InvalidInputError : they are of another width or encoder.
        """
        codes, encoder = self._own_codes(given), self.encoder
        if not isinstance(given, StoredCodes):
            return codes, ids, encoder
        if not len(self) and encoder is None:  # what is in the index may be of any encoder, if anything is
            encoder = given.encoder
        return codes, given.ids if ids is None else ids, encoder

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} codes of {self.n_bits} bits)"


def check_codes(codes: Codes, n_bits: int, *, what: str = "codes") -> None:
    """Raise unless ``codes`` are Codes of ``n_bits`` bits; ``what`` names them in the message."""
    if not isinstance(codes, Codes):
        raise InvalidInputError(
            f"{what} must be hammingway.Codes; got {type(codes).__name__}. Use hasher.encode or Codes.from_bits."
        )
    if codes.n_bits != n_bits:
        raise CodeWidthError(
            f"{what} have {codes.n_bits} bits; this index holds {n_bits}-bit codes. "
            "Encode them with the hasher that built the index."
        )


def check_new_ids(ids: ArrayLike, n_codes: int, find: Find) -> NDArray[np.int64]:
    """Return ``ids`` as int64 (n_codes,), or raise unless they are distinct and none is in the index."""
    named = check_code_ids(ids, n_codes)
    known = named[find(named) >= 0]
    if known.size:
        raise InvalidInputError(f"{name_some(known)} already in the index; remove or choose others.")
    return named


def check_known_ids(ids: NDArray[np.int64], find: Find, n_codes: int) -> NDArray[np.int64]:
    """Return the slots of ``ids``, or raise unless all are in the index, of ``n_codes`` codes."""
    slots = find(ids)
    unknown = ids[slots < 0]
    if unknown.size:
        raise InvalidInputError(f"{name_some(unknown)} not in the index of {n_codes} codes; see its ids.")
    return slots


def check_k(k: object) -> int:
    """Return ``k`` as an int, or raise InvalidInputError unless it is a whole number from 1 to 2^40."""
    count = _check_whole_number(k, "k", least=1)
    if count > _MOST_RESULTS:
        raise InvalidInputError(f"k must be at most 2^40, as all k places are filled; got {k!r}. Ask for fewer.")
    return count


def check_radius(radius: object) -> int:
    """Return ``radius`` as an int, or raise InvalidInputError unless it is a whole number of bits from 0."""
    return _check_whole_number(radius, "radius", least=0)


def check_n_threads(n_threads: object) -> int | None:
    """Return ``n_threads`` as an int or None (all cores), or raise InvalidInputError."""
    return None if n_threads is None else _check_whole_number(n_threads, "n_threads", least=1)


def _check_whole_number(value: object, name: str, *, least: int) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInputError(f"{name} must be a whole number from {least}; got {value!r}.")
    return int(value)
