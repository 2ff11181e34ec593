"""Files of codes: packed bits, how many count, who encoded them, and under which ids."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.ids import check_code_ids
from hammingway.storage import read_arrays, write_arrays

__all__ = ["KIND", "StoredCodes", "check_encoder", "read_codes", "write_codes"]

KIND = "codes"


@dataclass(frozen=True, slots=True, eq=False)
class StoredCodes:
    """What a file of codes holds.

    Parameters
    ----------
    codes : n codes.
    encoder : fingerprint of the hasher that made them (``hasher.fingerprint()``), if it was written.
    ids : int64 (n,), distinct and >= 0; None where the codes are numbered from 0.
    """

    codes: Codes
    encoder: str | None
    ids: NDArray[np.int64] | None


def write_codes(
    path: str | os.PathLike[str], codes: Codes, *, encoder: str | None = None, ids: ArrayLike | None = None
) -> None:
    """Write ``codes`` to ``path``, whole or not at all.

    Parameters
    ----------
    encoder : fingerprint of the hasher that made them; tells later whether queries fit.
    ids : integers (n,), distinct and from 0; left out where the codes are numbered from 0.

    Raises
    ------
    InvalidInputError : ids that are negative or given twice; codes or encoder of another type.
    ShapeError : not one id a code.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "two.codes")
    >>> write_codes(path, Codes.from_bits([[1, 0, 1], [0, 0, 1]]), ids=[10, 20])
    >>> stored = read_codes(path)
    >>> stored.codes, stored.ids
    (Codes(2 codes of 3 bits), array([10, 20]))
    """
    if not isinstance(codes, Codes):
        raise InvalidInputError(f"codes must be hammingway.Codes; got {type(codes).__name__}. Use Codes.from_bits.")
    check_encoder(encoder)
    arrays: dict[str, NDArray[Any]] = {"packed": codes.packed}
    if ids is not None:
        arrays["ids"] = check_code_ids(ids, len(codes))
    write_arrays(path, arrays, kind=KIND, header={"n_bits": codes.n_bits, "encoder": encoder})


def check_encoder(encoder: object) -> str | None:
    """Return ``encoder``, or raise InvalidInputError unless it is a fingerprint, or None."""
    if encoder is not None and not isinstance(encoder, str):
        raise InvalidInputError(f"encoder must be a fingerprint such as hasher.fingerprint() gives; got {encoder!r}.")
    return encoder


def read_codes(path: str | os.PathLike[str]) -> StoredCodes:
    """Return what :func:`write_codes` wrote, checked.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : not a file of codes, or damaged: checksums, widths, pad bits and ids are held against each other.
    """
    arrays, header = read_arrays(path, kind=KIND)
    encoder = header.get("encoder")
    if "packed" not in arrays or not isinstance(encoder, str | None):
        raise FileFormatError(f"{path} is not a sound file of codes: its codes or encoder are missing. Write it again.")
    try:
        codes = Codes(arrays["packed"], header.get("n_bits"))  # type: ignore[arg-type]  # checked by Codes
        ids = check_code_ids(arrays["ids"], len(codes)) if "ids" in arrays else None
    except InvalidInputError as error:
        raise FileFormatError(f"{path} is not a sound file of codes: {error}") from error
    return StoredCodes(codes, encoder, ids)
