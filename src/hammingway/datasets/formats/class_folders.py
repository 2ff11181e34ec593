"""Vectors of one class a folder, one npy file each: ``root/<class>/<name>.npy``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.formats.npy import FORMATS
from hammingway.errors import FileFormatError
from hammingway.progress import Progress

__all__ = ["NAME", "ClassFolders", "class_folder_labels", "read_class_folders"]

NAME = "class-folders"

_NPY = next(one for one in FORMATS if one.name == "npy")
_PROGRESS_FILES = 1000


@dataclass(frozen=True, eq=False)
class ClassFolders:
    """What :func:`read_class_folders` found.

    Parameters
    ----------
    vectors : float32 (n, n_features), by class and, within it, by name.
    labels : int64 (n,), numbers of classes from 0.
    classes : name of each class's folder.
    files : the path of each row, relative to the root.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: list[str]
    files: list[str]


def read_class_folders(root: str | os.PathLike[str], *, progress: Progress | None = None) -> ClassFolders:
    """Return all vectors below ``root``, where each folder is a class and each npy file in it one vector.

    Classes and files come in the order of their names, numbers in them by value: class 2 before class 10. A class is
    numbered by its place in that order, whatever its name. Folders without npy files are no classes, other files are
    not looked at, and arrays of any shape are flattened.

    Raises
    ------
    FileFormatError : no such folder, no npy file in any folder of it, a file that is not npy, or one of another
        size than the first.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     for name in ("10", "2"):
    ...         Path(root, name).mkdir()
    ...         np.save(Path(root, name, "0.npy"), np.ones((1, 4)))
    ...     found = read_class_folders(root)
    >>> found.classes, found.labels.tolist(), found.vectors.shape
    (['2', '10'], [0, 1], (2, 4))
    """
    root = Path(root)
    found = _files_by_class(root)
    paths = [path for files in found.values() for path in files]
    return ClassFolders(
        _read_all(paths, progress),
        _labels(found),
        [folder.name for folder in found],
        [str(path.relative_to(root)) for path in paths],
    )


def class_folder_labels(root: str | os.PathLike[str]) -> NDArray[np.int64]:
    """Return the labels of :func:`read_class_folders`, int64 (n,), without reading the vectors.

    Raises
    ------
    FileFormatError : no such folder, or no npy file in any folder of it.
    """
    return _labels(_files_by_class(Path(root)))


def _files_by_class(root: Path) -> dict[Path, list[Path]]:
    if not root.is_dir():
        raise FileFormatError(f"{root} is not a folder; give one that holds a folder of npy files for each class.")
    folders = sorted((path for path in root.iterdir() if path.is_dir()), key=_by_value)
    found = {folder: sorted(folder.glob("*.npy"), key=_by_value) for folder in folders}
    found = {folder: files for folder, files in found.items() if files}
    if not found:
        raise FileFormatError(f"{root} has no folder with npy files; they are expected as {root}/<class>/<name>.npy.")
    return found


def _labels(found: dict[Path, list[Path]]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(found), dtype=np.int64), [len(files) for files in found.values()])


def _read_all(paths: list[Path], progress: Progress | None) -> NDArray[np.float32]:
    first = _flat(paths[0])
    vectors = np.empty((len(paths), first.size), np.float32)
    for row, path in enumerate(paths):
        vector = _flat(path)
        if vector.size != first.size:
            raise FileFormatError(f"{path} holds {vector.size} values; {paths[0]} holds {first.size}.")
        vectors[row] = vector
        if progress is not None and ((row + 1) % _PROGRESS_FILES == 0 or row + 1 == len(paths)):
            progress(row + 1, len(paths))
    return vectors


def _flat(path: Path) -> NDArray[Any]:
    return _NPY.open(path, None).read().reshape(-1)


def _by_value(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key by which numbers within names count by their value; equal ones ('1', '01') go by the name."""
    parts = re.split(r"(\d+)", path.stem if path.suffix == ".npy" else path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name
