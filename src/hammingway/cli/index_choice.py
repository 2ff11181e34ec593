"""An index from what was typed, and the codes and ids that go into it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hammingway import registry
from hammingway.code_files import StoredCodes, read_codes
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.storage import read_kind
from hammingway.suggest import did_you_mean

if TYPE_CHECKING:
    from hammingway.indexes import FlatIndex, Index, IVFIndex

__all__ = ["bias_of", "make_index", "open_codes", "read_ids", "typed_options"]

# The width is that of the codes, threads are not saved, and centres are codes, which no text gives.
_NOT_TYPED = {"n_bits", "n_threads", "centres"}


def make_index(kind: str, n_bits: int, settings: Iterable[tuple[str, Any]], *, n_codes: int) -> FlatIndex | IVFIndex:
    """Return the empty index registered as ``kind``.

    Parameters
    ----------
    n_bits : bits a code.
    n_codes : codes it is to hold: the key of a table has log2 as many bits, unless the settings say which.
    settings : (name, value) pairs for its constructor; a repeated name counts last.

    Raises
    ------
    InvalidInputError : it has no such option (with a suggestion), or the value does not suit it.
    """
    made = registry.load("indexes", kind)
    values = dict(settings)
    known = typed_options(made)
    for name in values:
        if not known:
            raise InvalidInputError(f"The index {kind!r} has no options to --set; leave {name!r} out.")
        if name not in known:
            raise InvalidInputError(f"The index {kind!r} has no option {name!r}. {did_you_mean(name, known)}")
    if kind == "table":
        values.setdefault("bits", min(n_bits, 64, max(1, n_codes.bit_length() - 1)))
    index: FlatIndex | IVFIndex = made(n_bits, **values)
    return index


def typed_options(made: type[Index]) -> set[str]:
    """Return the names of what --set may set of an index."""
    return set(inspect.signature(made).parameters) - _NOT_TYPED


def open_codes(path: Path, *, model: Path | None, key: str | None, ids: Path | None) -> StoredCodes:
    """Return the codes at ``path``, or its vectors encoded by ``model``, with their encoder and ids.

    Parameters
    ----------
    key : which array of the file holds the vectors.
    ids : a file of integers, one a code; those in the file of codes if None.

    Raises
    ------
    FileFormatError : a file holds something else, or is damaged.
    InvalidInputError : key was given without vectors.
    """
    if model is None:
        if key is not None:
            raise InvalidInputError("--key names an array of vectors; give --model to encode them, or leave it out.")
        if read_kind(path) is None:
            raise FileFormatError(f"{path} is no file of codes, or it is damaged; if it holds vectors, give --model.")
        stored = read_codes(path)
    else:
        stored = _encoded(path, model, key)
    return stored if ids is None else replace(stored, ids=read_ids(ids))


def bias_of(path: Path, *, model: Path, key: str | None) -> NDArray[np.float32] | None:
    """Return the bias that ``model`` gives the codes of the vectors at ``path``, float32 (n,); None for none."""
    from hammingway.cli.reading import open_vectors
    from hammingway.hashers import load_hasher

    hasher = load_hasher(model)
    return hasher.code_bias(open_vectors(path, key=key)) if hasher.has_bias else None


def _encoded(path: Path, model: Path, key: str | None) -> StoredCodes:
    from hammingway.cli.progress_bar import progress_bar
    from hammingway.cli.reading import open_vectors
    from hammingway.hashers import load_hasher

    hasher, X = load_hasher(model), open_vectors(path, key=key)
    with progress_bar("encoding") as progress:
        return StoredCodes(hasher.encode(X, progress=progress), hasher.fingerprint(), None)


def read_ids(path: Path) -> NDArray[Any]:
    """Return the integers of a .npy file, (n,)."""
    try:
        ids = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise FileFormatError(f"{path} holds no ids; give a .npy file of integers, as np.save writes it.") from error
    if not isinstance(ids, np.ndarray):
        raise FileFormatError(f"{path} holds several arrays; give a .npy file of integers, as np.save writes it.")
    return ids
