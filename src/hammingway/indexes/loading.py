"""Any saved index, opened as what it was saved as."""

from __future__ import annotations

import os

from hammingway.errors import FileFormatError
from hammingway.indexes import cell_file, flat_file, multi, table
from hammingway.indexes.flat import FlatIndex
from hammingway.indexes.ivf import IVFIndex
from hammingway.indexes.multi import MultiIndex
from hammingway.indexes.table import TableIndex
from hammingway.storage import read_kind

__all__ = ["INDEX_KINDS", "load_index"]

INDEX_KINDS: dict[str, type[FlatIndex | TableIndex | IVFIndex]] = {
    flat_file.KIND: FlatIndex,
    multi.KIND: MultiIndex,
    table.KIND: TableIndex,
    cell_file.KIND: IVFIndex,
}
"""What each kind of file was saved by."""


def load_index(path: str | os.PathLike[str], *, n_threads: int | None = None) -> FlatIndex | TableIndex | IVFIndex:
    """Return the index at ``path``, of the class that saved it.

    Parameters
    ----------
    n_threads : threads of its searches; None for all cores.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : the file holds no index, is damaged, or is of a newer version.

    Examples
    --------
    >>> import tempfile
    >>> from hammingway import Codes
    >>> path = os.path.join(tempfile.mkdtemp(), "index.hw")
    >>> IVFIndex(2).add(Codes.from_bits([[0, 1], [1, 1]])).save(path)
    >>> load_index(path)
    IVFIndex(2 codes of 2 bits)
    """
    kind = read_kind(path)
    if kind not in INDEX_KINDS:
        raise FileFormatError(f"{path} holds {kind or 'nothing that Hammingway saved'}; give a saved index.")
    return INDEX_KINDS[kind].load(path, n_threads=n_threads)
