"""Reading, writing and converting files of vectors, whatever their format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.formats import binary, class_folders, hdf5, npy, parquet, vecs
from hammingway.datasets.formats.base import (
    FileFormat,
    Source,
    chunk_rows,
    file_size,
    refuse_key,
    rows_of,
    source_of_array,
)
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError
from hammingway.progress import Progress
from hammingway.storage import atomic_path
from hammingway.suggest import did_you_mean

__all__ = [
    "FORMAT_NAMES",
    "Held",
    "convert",
    "describe",
    "detect",
    "read_labels",
    "read_neighbors",
    "read_vectors",
    "write_neighbors",
    "write_vectors",
]

_FORMATS: dict[str, FileFormat] = {
    one.name: one for one in (*npy.FORMATS, *vecs.FORMATS, *binary.FORMATS, *hdf5.FORMATS, *parquet.FORMATS)
}
_BY_SUFFIX = {suffix: one for one in _FORMATS.values() for suffix in one.suffixes}
_LONGEST_MAGIC = 8

FORMAT_NAMES = tuple(_FORMATS)
"""Names of the formats, as :func:`detect` returns them and ``format=`` takes them."""

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Held:
    """What a file of vectors, labels or neighbours holds.

    Parameters
    ----------
    format : its name, as :func:`detect` gives it.
    shape : of the array: (n,), or (n, d), images as a row each.
    dtype : of its numbers, as :func:`read_vectors` gives them.
    """

    format: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def describe(path: PathLike, *, key: str | None = None) -> Held:
    """Return what a file holds, from its header and size where the format has them, without reading its rows.

    Parameters
    ----------
    key : which array, as for :func:`read_vectors`.

    Raises
    ------
    FileFormatError, InvalidInputError, MissingExtraError : as for :func:`read_vectors`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_vectors(f"{folder}/a.fvecs", np.eye(3))
    ...     describe(f"{folder}/a.fvecs").shape
    (3, 3)
    """
    path = Path(path)
    file_format = _format_of_file(path)
    source = file_format.open(path, key)
    if len(source.shape) != 1:
        source = _as_vectors(source, path)
    return Held(file_format.name, source.shape, source.dtype)


def detect(path: PathLike) -> str:
    """Return the name of the format of an existing file, by its ending, its first bytes and its size.

    A folder is taken for one of class folders, see :func:`read_class_folders`.

    Returns
    -------
    name : one of ``FORMAT_NAMES``, or ``"ibin-truth"`` for a big-ann file of true neighbours (ids and
        distances), which shares the ending ``.ibin`` with plain int32 rows and differs only in size, or
        ``"class-folders"``.

    Raises
    ------
    FileFormatError : missing, not a file, of no known format, or its first bytes contradict its ending.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_vectors(f"{folder}/a.fvecs", np.eye(3))
    ...     detect(f"{folder}/a.fvecs")
    'fvecs'
    """
    path = Path(path)
    return class_folders.NAME if path.is_dir() else _format_of_file(path).name


def read_vectors(path: PathLike, *, key: str | None = None, progress: Progress | None = None) -> NDArray[Any]:
    """Return the vectors of a file, memory-mapped and read-only where the format allows.

    npy, the vecs and the bin formats and contiguous HDF5 data sets are mapped, so a file larger than
    memory can be opened (the vecs are read through once: each row repeats the dimension, and all must
    agree). npz, parquet and chunked HDF5 are read into memory.

    Parameters
    ----------
    path : the file; or a folder with one folder of npy files a class, see :func:`read_class_folders`.
    key : which array of a file that holds several: npz member (needed if there is more than one), HDF5
        data set (default ``train``), parquet column (default ``emb``, else the only list column),
        ``ids`` (default) or ``distances`` of a big-ann truth file.
    progress : told the rows read, for formats that are not mapped.

    Returns
    -------
    vectors : (n, d) in the file's element type; bool comes as uint8 0 and 1; more than two axes (images)
        are flattened to one row each.

    Raises
    ------
    FileFormatError : missing, truncated, damaged, of an unknown format, sparse, or not numbers.
    InvalidInputError : no such key, or a key where there is none.
    MissingExtraError : HDF5 or parquet without their library.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_vectors(f"{folder}/a.bvecs", np.arange(6).reshape(2, 3))
    ...     read_vectors(f"{folder}/a.bvecs").tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    path = Path(path)
    return _as_vectors(_open(path, key, progress), path).read(None if path.is_dir() else progress)


def read_labels(path: PathLike, *, key: str | None = None) -> NDArray[np.int64]:
    """Return one class label a row, int64 (n,), from any format: a plain column or rows of width 1.

    Of a folder with one folder of npy files a class it is the number of each file's class, as
    :func:`read_class_folders` counts them.

    Raises
    ------
    FileFormatError : as :func:`read_vectors`; or not one whole number a row.
    """
    path = Path(path)
    if path.is_dir():
        refuse_key(path, key)
        return class_folders.class_folder_labels(path)
    source = _open(path, key)
    if len(source.shape) != 1 and source.shape[1:] != (1,):
        raise FileFormatError(f"{path} holds an array of shape {source.shape}; labels have shape (n,).")
    array = source.read().reshape(-1)
    labels = array.astype(np.int64)
    if not np.array_equal(labels, array):
        raise FileFormatError(
            f"{path} holds values of type {array.dtype} that are not whole int64 numbers; labels are."
        )
    return labels


def read_neighbors(path: PathLike, *, key: str | None = None) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """Return the true neighbours of a file: ids, and distances if the file holds them.

    Parameters
    ----------
    key : array of ids (default: ``neighbors`` in HDF5, ``neighbors_id`` in parquet); HDF5 distances are
        read from ``distances`` when the ids are ``neighbors``.

    Returns
    -------
    ids : int64 (n_queries, k), best first.
    distances : float32 (n_queries, k) in the unit of the file's own metric, or None.

    Raises
    ------
    FileFormatError, InvalidInputError : as :func:`read_vectors`; or ids are not integers.
    """
    path = Path(path)
    file_format = _format_of_file(path)
    key = key or {"hdf5": "neighbors", "parquet": "neighbors_id"}.get(file_format.name)
    ids = _as_vectors(file_format.open(path, key), path).read()
    if ids.dtype.kind not in "iu":
        raise FileFormatError(f"{path} holds values of type {ids.dtype}; ids of neighbours are integers.")
    distances = None
    if file_format is binary.TRUTH or (file_format.name == "hdf5" and key == "neighbors"):
        distances = _as_vectors(file_format.open(path, "distances"), path).read().astype(np.float32)
        if distances.shape != ids.shape:
            raise FileFormatError(f"{path} holds ids of shape {ids.shape} but distances of shape {distances.shape}.")
    return ids.astype(np.int64), distances


def write_neighbors(path: PathLike, ids: NDArray[np.integer[Any]], distances: NDArray[np.floating[Any]]) -> None:
    """Write true neighbours as big-ann does (``.ibin``: int32 ids, then float32 distances), in one atomic step.

    Parameters
    ----------
    ids, distances : (n_queries, k), best first.

    Raises
    ------
    ShapeError : the shapes differ, are not two-dimensional, or empty.
    InvalidInputError : an id does not fit int32, or the ending is not ``.ibin`` or ``.gt<k>``.
    """
    path = Path(path)
    ids, distances = np.asarray(ids), np.asarray(distances)
    if ids.ndim != 2 or ids.shape != distances.shape or not ids.size:
        raise ShapeError(
            f"ids and distances must share one shape (n, k), not empty; got {ids.shape}, {distances.shape}."
        )
    if not binary.is_truth_name(path):
        raise InvalidInputError(f"{path}: a file of true neighbours ends in .ibin (or .gt100).")
    limits = np.iinfo(np.int32)
    if ids.dtype.kind not in "iu" or ids.min() < limits.min or ids.max() > limits.max:
        raise InvalidInputError(f"ids must be integers that fit int32; got {ids.dtype} up to {ids.max()}.")
    _check_folder(path)
    with atomic_path(path) as temporary:
        binary.write_truth(temporary, ids.astype(np.int32), distances.astype(np.float32))


def write_vectors(
    path: PathLike,
    vectors: NDArray[Any] | Iterable[NDArray[Any]],
    *,
    format: str | None = None,
    key: str | None = None,
    n_rows: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write vectors to a file in one atomic step: an interruption leaves the old file or none.

    Values are kept exactly, but for float64 to a shorter float, which rounds to nearest.

    Parameters
    ----------
    vectors : (n, d) array, or an iterable of such chunks, written as they come.
    format : one of ``FORMAT_NAMES``; default by the ending of ``path``.
    key : HDF5 data set (default ``train``) or parquet column (default ``emb``).
    n_rows : rows in all, if ``vectors`` is an iterable and known; needed for ``progress``.
    progress : told the rows written after each chunk.

    Raises
    ------
    InvalidInputError : unknown or read-only format, no such folder, or values that the format's type cannot hold.
    ShapeError : not (n, d), chunks of different widths, not ``n_rows`` rows, or no row for a vecs file.
    """
    path = Path(path)
    file_format = _format_of_target(path, format)
    if isinstance(vectors, np.ndarray):
        n_rows, chunks = len(vectors) if vectors.ndim else None, iter((vectors,))
    else:
        chunks = iter(vectors)
    _write(path, file_format, chunks, key=key, n_rows=n_rows, progress=progress)


def convert(
    source: PathLike,
    target: PathLike,
    *,
    key: str | None = None,
    target_key: str | None = None,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Copy vectors from one format to another in chunks, so that neither file need fit in memory.

    Parameters
    ----------
    key, target_key : array of the source and of the target, as in :func:`read_vectors` and :func:`write_vectors`.

    Returns
    -------
    shape : (n, d) of what was written.

    Raises
    ------
    FileFormatError, InvalidInputError, ShapeError : as :func:`read_vectors` and :func:`write_vectors`.
    """
    source, target = Path(source), Path(target)
    file_format = _format_of_target(target, None)
    rows = _as_vectors(_open(source, key), source)
    if target.exists() and target.samefile(source):
        raise InvalidInputError(f"{source} would be converted onto itself; give another target.")
    n_rows, n_dims = rows.shape
    chunks = rows.chunks(chunk_rows(rows.shape, rows.dtype)) if n_rows else iter((np.empty(rows.shape, rows.dtype),))
    _write(target, file_format, chunks, key=target_key, n_rows=n_rows, progress=progress)
    return n_rows, n_dims


def _write(
    path: Path,
    file_format: FileFormat,
    chunks: Iterator[NDArray[Any]],
    *,
    key: str | None,
    n_rows: int | None,
    progress: Progress | None,
) -> None:
    if file_format.write is None:
        raise InvalidInputError(f"{path}: {file_format.name} files are only read; write npy instead.")
    if progress is not None and n_rows is None:
        raise InvalidInputError("progress over an iterable needs n_rows, the number of rows in all.")
    _check_folder(path)
    rows = rows_of(chunks, file_format.dtype, n_rows, progress)
    with atomic_path(path) as temporary:
        file_format.write(temporary, rows, key)


def _check_folder(path: Path) -> None:
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder; give the name of a file to write.")
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path.parent} is not a folder; create it first.")


def _open(path: Path, key: str | None, progress: Progress | None = None) -> Source:
    if path.is_dir():
        refuse_key(path, key)
        return source_of_array(class_folders.read_class_folders(path, progress=progress).vectors)
    return _format_of_file(path).open(path, key)


def _as_vectors(source: Source, path: PathLike) -> Source:
    """Return ``source`` seen as (n, d): images are flattened, anything without columns is refused."""
    n_dims = int(np.prod(source.shape[1:], dtype=object))
    if len(source.shape) < 2 or n_dims < 1:
        raise FileFormatError(f"{path} holds an array of shape {source.shape}; vectors have shape (n, d), d >= 1.")
    if len(source.shape) == 2:
        return source

    def chunks(n_rows: int) -> Iterator[NDArray[Any]]:
        for chunk in source.chunks(n_rows):
            yield chunk.reshape(len(chunk), n_dims)

    shape = (source.shape[0], n_dims)
    mapped = None if source.mapped is None else source.mapped.reshape(shape)
    return Source(shape, source.dtype, chunks, mapped)


def _format_of_file(path: Path) -> FileFormat:
    size = file_size(path)
    if binary.is_truth_name(path):
        return binary.TRUTH if path.suffix.lower() != ".ibin" or binary.holds_distances(path) else _FORMATS["ibin"]
    named = _BY_SUFFIX.get(path.suffix.lower())
    with path.open("rb") as file:
        start = file.read(_LONGEST_MAGIC)
    if named is None:
        return _format_by_magic(path, start)
    if not start.startswith(named.magic):
        raise FileFormatError(
            f"{path} ({size} bytes) is named as {named.name} but starts with {start[: len(named.magic)]!r}, "
            f"not with {named.magic!r}: it is empty, damaged or of another format."
        )
    return named


def _format_by_magic(path: Path, start: bytes) -> FileFormat:
    for one in _FORMATS.values():
        if one.magic and start.startswith(one.magic):
            return one
    raise FileFormatError(f"{path} is of no known format: its name should end in one of {', '.join(_BY_SUFFIX)}.")


def _format_of_target(path: Path, name: str | None) -> FileFormat:
    if name is not None:
        if name not in _FORMATS:
            raise InvalidInputError(f"No format named {name!r}. {did_you_mean(name, _FORMATS)}")
        return _FORMATS[name]
    if path.suffix.lower() not in _BY_SUFFIX:
        raise InvalidInputError(f"{path}: the ending tells the format; use one of {', '.join(_BY_SUFFIX)}.")
    return _BY_SUFFIX[path.suffix.lower()]
