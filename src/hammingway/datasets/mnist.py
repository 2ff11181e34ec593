"""MNIST and Fashion-MNIST: 70,000 grey images of 28 x 28 pixels in ten classes.

References
----------
LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
Xiao, Rasul and Vollgraf, "Fashion-MNIST", arXiv:1708.07747, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.download import RemoteFile, cache_folder, fetch
from hammingway.datasets.formats.files import read_labels, read_vectors
from hammingway.datasets.idx import read_idx
from hammingway.datasets.named import NamedDataSet
from hammingway.datasets.protocols import Balanced, Official, Pool
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.progress import Progress

__all__ = ["FASHION_MNIST", "MNIST"]

# Training images, training labels, test images, test labels, as every distribution names them.
_IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_NPZ_KEYS = (
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
)


@dataclass(frozen=True, kw_only=True)
class _Home:
    """Where one of the two sets lives: local folder and file names, and its official files.

    The idx files of both sets have the same names, so idx files are taken only from a folder that is
    named after the set.
    """

    name: str
    folders: tuple[str, ...]
    npz_names: tuple[str, ...]
    bases: tuple[str, ...]
    sha256: tuple[str, str, str, str]


def _read_local(home: _Home, where: Path, progress: Progress | None) -> Pool | None:
    pool = _find(home, where)
    if pool is not None:
        _tell(progress, pool)
    return pool


def _tell(progress: Progress | None, pool: Pool) -> None:
    """Report everything as read at once: it takes less than a second."""
    if progress is not None:
        progress(len(pool.labels), len(pool.labels))


def _find(home: _Home, where: Path) -> Pool | None:
    if where.is_file():
        return _from_npz(where) if where.suffix == ".npz" else None
    for name in home.npz_names:
        if (where / name).is_file():
            return _from_npz(where / name)
    folders = [where / name for name in home.folders]
    if {where.name, where.parent.name} & set(home.folders):
        folders.append(where)
    for folder in folders:
        for candidate in (folder, folder / "raw"):
            paths = [_plain_or_gz(candidate / name) for name in _IDX_NAMES]
            if all(path is not None for path in paths):
                return _from_idx([path for path in paths if path is not None], str(candidate))
    return None


def _plain_or_gz(path: Path) -> Path | None:
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.is_file():
            return candidate
    return None


def _from_idx(paths: list[Path], source: str) -> Pool:
    images, labels = ([read_idx(path, n_axes=n_axes) for path in paths[start::2]] for start, n_axes in ((0, 3), (1, 1)))
    flat = [part.reshape(len(part), part.shape[1] * part.shape[2]) for part in images]
    return _pool((flat[0], labels[0], flat[1], labels[1]), source)


def _from_npz(path: Path) -> Pool:
    for keys in _NPZ_KEYS:
        try:
            images = [read_vectors(path, key=key) for key in keys[::2]]
            labels = [read_labels(path, key=key) for key in keys[1::2]]
        except InvalidInputError:  # no such key: another naming
            continue
        return _pool((images[0], labels[0], images[1], labels[1]), str(path))
    raise FileFormatError(f"{path} has neither the arrays {', '.join(_NPZ_KEYS[0])} nor {', '.join(_NPZ_KEYS[1])}.")


def _pool(parts: tuple[NDArray[Any], ...], source: str) -> Pool:
    train_images, train_labels, test_images, test_labels = parts
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.dtype != np.uint8 or len(images) != len(labels) or images.shape[1] != train_images.shape[1]:
            raise FileFormatError(
                f"{source} has images of shape {images.shape} ({images.dtype}) and {len(labels)} labels; uint8 images "
                "of one size and as many labels are expected."
            )
    return Pool(
        vectors=np.concatenate([train_images, test_images]),
        labels=np.concatenate([train_labels, test_labels]).astype(np.int64),
        n_train=len(train_labels),
        source=source,
    )


def _fetch(home: _Home, progress: Progress | None) -> Pool:
    folder = cache_folder(home.name)
    names = [f"{name}.gz" for name in _IDX_NAMES]
    files = [
        RemoteFile(name=name, urls=tuple(base + name for base in home.bases), sha256=digest)
        for name, digest in zip(names, home.sha256, strict=True)
    ]
    pool = _from_idx([fetch(file, folder) for file in files], f"the official files of {home.name}")
    _tell(progress, pool)
    return pool


def _data_set(home: _Home) -> NamedDataSet:
    return NamedDataSet(
        name=home.name,
        protocols={
            f"{home.name}-1": Balanced(n_queries_per_class=100, n_training_per_class=500, training_in_database=True),
            f"{home.name}-2": Official(),
        },
        read_local=partial(_read_local, home),
        fetch=partial(_fetch, home),
        layouts=f"{home.npz_names[0]}, or a folder {home.folders[0]} with the four idx files (.gz or not)",
        n_train=60_000,
        n_test=10_000,
    )


MNIST = _data_set(
    _Home(
        name="mnist",
        folders=("mnist", "MNIST"),
        npz_names=("mnist.npz",),
        bases=("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        sha256=(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    )
)
"""MNIST: 70,000 handwritten digits of 28 x 28 grey pixels, ten classes."""

FASHION_MNIST = _data_set(
    _Home(
        name="fashion-mnist",
        folders=("fashion-mnist", "fashion_mnist", "FashionMNIST"),
        npz_names=("fashion-mnist.npz", "fashion_mnist.npz"),
        bases=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        sha256=(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    )
)
"""Fashion-MNIST: 70,000 images of clothes of 28 x 28 grey pixels, ten classes."""
