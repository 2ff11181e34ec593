"""Binary codes: packed bits and how many of them count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError

__all__ = ["MAX_BITS", "Codes", "check_n_bits"]

MAX_BITS = 4096


def check_n_bits(n_bits: object) -> int:
    """Return ``n_bits`` as an int, or raise if it is not a whole number from 1 to 4096.

    Raises
    ------
    InvalidInputError : not an integer (a bool is not one), or out of range.
    """
    if isinstance(n_bits, bool) or not isinstance(n_bits, int | np.integer) or not 1 <= n_bits <= MAX_BITS:
        raise InvalidInputError(f"n_bits must be a whole number from 1 to {MAX_BITS}; got {n_bits!r}.")
    return int(n_bits)


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """``n`` binary codes of ``n_bits`` bits each, packed eight to a byte.

    Bit ``j`` of a code is bit ``j % 8`` of byte ``j // 8``: little bit order, as in faiss and
    Weaviate, unlike ``numpy.packbits``'s default and sentence-transformers (see
    :meth:`from_ubinary`). A bit is set where its score is **greater than** zero. Bits past
    ``n_bits`` in the last byte are zero.

    Parameters
    ----------
    packed : uint8 (n, ceil(n_bits / 8)), made C-contiguous if it is not.
    n_bits : bits a code, 1 to 4096; any value, not only multiples of 8.

    Raises
    ------
    InvalidInputError : ``n_bits`` out of range, ``packed`` not uint8, or a pad bit set.
    ShapeError : ``packed`` is not two-dimensional or has the wrong number of bytes a row.

    Examples
    --------
    >>> codes = Codes.from_scores([[0.5, -1.0, 2.0], [0.0, 3.0, -0.1]])
    >>> codes
    Codes(2 codes of 3 bits)
    >>> codes.packed
    array([[5],
           [2]], dtype=uint8)
    """

    packed: NDArray[np.uint8]
    n_bits: int

    def __post_init__(self) -> None:
        n_bits = check_n_bits(self.n_bits)
        packed = np.asarray(self.packed)
        if packed.dtype != np.uint8:
            raise InvalidInputError(
                f"packed codes must be uint8; got {packed.dtype}. Use Codes.from_bits for 0/1 arrays."
            )
        n_bytes = -(-n_bits // 8)
        if packed.ndim != 2 or packed.shape[1] != n_bytes:
            raise ShapeError(f"{n_bits}-bit codes need a packed array of shape (n, {n_bytes}); got {packed.shape}.")
        if n_bits % 8 and np.any(packed[:, -1] >> (n_bits % 8)):
            raise InvalidInputError(
                f"a bit past the {n_bits}th is set; pad bits must be 0. If these codes are packed most significant "
                "bit first, use Codes.from_ubinary."
            )
        object.__setattr__(self, "packed", np.ascontiguousarray(packed))
        object.__setattr__(self, "n_bits", n_bits)

    def __len__(self) -> int:
        return len(self.packed)

    def __repr__(self) -> str:
        return f"Codes({len(self)} codes of {self.n_bits} bits)"

    def __getitem__(self, rows: slice | Sequence[int] | NDArray[Any]) -> Codes:
        """Return the selected rows; an integer is refused, so that the result is always ``Codes``."""
        if isinstance(rows, int | np.integer):
            raise InvalidInputError(
                f"select codes by a slice, a list or a mask, not by one integer; use codes[[{rows}]]."
            )
        return Codes(self.packed[rows], self.n_bits)

    @property
    def size_bytes(self) -> int:
        """Bytes the packed codes take."""
        return self.packed.nbytes

    @classmethod
    def from_scores(cls, scores: ArrayLike) -> Codes:
        """Return the signs of ``scores``, numbers (n, n_bits): bit ``j`` of row ``i`` is ``scores[i, j] > 0``.

        Raises
        ------
        InvalidInputError : a score is NaN, which has no sign, or no real number.
        """
        scores = np.asarray(scores)
        if scores.ndim != 2:
            raise ShapeError(f"scores must have shape (n, n_bits); got {scores.shape}.")
        if scores.dtype.kind not in "biuf":
            raise InvalidInputError(f"scores must be real numbers; got {scores.dtype}.")
        # min keeps a NaN, and unlike isnan(scores) it needs no array of the same size.
        if scores.size and np.isnan(scores.min()):
            raise InvalidInputError("scores hold NaN, which has no sign; look for NaN in what was encoded.")
        return cls.from_bits(scores > 0)

    @classmethod
    def from_bits(cls, bits: ArrayLike) -> Codes:
        """Return ``bits``, bool or 0/1 integers (n, n_bits), packed.

        Raises
        ------
        InvalidInputError : a value other than 0 and 1 (for -1/+1 codes use :meth:`from_scores`).
        """
        bits = np.asarray(bits)
        if bits.ndim != 2:
            raise ShapeError(f"bits must have shape (n, n_bits); got {bits.shape}.")
        if bits.dtype != np.bool_ and not np.all((bits == 0) | (bits == 1)):
            raise InvalidInputError("bits must be 0 or 1; for -1/+1 codes or real scores use Codes.from_scores.")
        return cls(np.packbits(bits.astype(np.bool_, copy=False), axis=1, bitorder="little"), bits.shape[1])

    @classmethod
    def from_ubinary(cls, ubinary: ArrayLike, n_bits: int | None = None) -> Codes:
        """Return codes packed most significant bit first, as sentence-transformers' ``ubinary`` precision.

        Parameters
        ----------
        ubinary : uint8 (n, ceil(n_bits / 8)), the first bit of a code is the top bit of its first byte.
        n_bits : bits a code; all bits of the bytes if not given.
        """
        packed = np.asarray(ubinary)
        if packed.dtype == np.int8:
            raise InvalidInputError("ubinary codes are uint8; got int8, which is precision 'binary': use from_binary.")
        if packed.ndim != 2 or packed.dtype != np.uint8:
            raise ShapeError(
                f"ubinary codes must be a uint8 array of shape (n, n_bytes); got {packed.dtype} {packed.shape}."
            )
        width = packed.shape[1] * 8 if n_bits is None else check_n_bits(n_bits)
        if -(-width // 8) != packed.shape[1]:
            raise ShapeError(f"{width}-bit codes need {-(-width // 8)} bytes a row; got {packed.shape[1]}.")
        bits = np.unpackbits(packed, axis=1)
        if np.any(bits[:, width:]):
            raise InvalidInputError(f"a bit past the {width}th is set; pad bits must be 0.")
        return cls.from_bits(bits[:, :width])

    @classmethod
    def from_binary(cls, binary: ArrayLike, n_bits: int | None = None) -> Codes:
        """Return sentence-transformers' ``binary`` precision, int8 = ubinary - 128, as codes."""
        binary = np.asarray(binary)
        if binary.dtype != np.int8:
            raise InvalidInputError(f"binary codes must be int8; got {binary.dtype}. Use Codes.from_ubinary for uint8.")
        return cls.from_ubinary((binary.astype(np.int16) + 128).astype(np.uint8), n_bits)

    @classmethod
    def concatenate(cls, parts: Sequence[Codes]) -> Codes:
        """Return the codes of ``parts`` one after another.

        Raises
        ------
        InvalidInputError : ``parts`` is empty.
        CodeWidthError : the parts differ in ``n_bits``.
        """
        if not parts:
            raise InvalidInputError("there are no codes to concatenate; hand over at least one Codes.")
        widths = {part.n_bits for part in parts}
        if len(widths) > 1:
            raise CodeWidthError(f"only codes of one width can be concatenated; got widths {sorted(widths)}.")
        return cls(np.concatenate([part.packed for part in parts]), parts[0].n_bits)

    def unpack(self) -> NDArray[np.bool_]:
        """Return the bits, bool (n, n_bits)."""
        return np.unpackbits(self.packed, axis=1, count=self.n_bits, bitorder="little").view(np.bool_)

    def to_signs(self) -> NDArray[np.int8]:
        """Return the codes as -1 and +1, int8 (n, n_bits)."""
        return self.unpack().view(np.int8) * np.int8(2) - np.int8(1)

    def to_ubinary(self) -> NDArray[np.uint8]:
        """Return the codes packed most significant bit first (sentence-transformers ``ubinary``)."""
        return np.packbits(self.unpack(), axis=1)

    def to_binary(self) -> NDArray[np.int8]:
        """Return the codes as int8 = ubinary - 128 (sentence-transformers ``binary``)."""
        return (self.to_ubinary().astype(np.int16) - 128).astype(np.int8)
