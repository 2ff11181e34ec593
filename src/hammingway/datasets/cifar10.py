"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes.

Rows are 3072 uint8 values, pixel by pixel, row by row, each as red, green and blue: ``row.reshape(32, 32, 3)`` is the
image, and ``image_shape=(32, 32, 3)`` tells a deep hasher so. (The official binary version has all of red first.)

References
----------
Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hammingway.datasets.download import RemoteFile, cache_folder, fetch
from hammingway.datasets.named import NamedDataSet
from hammingway.datasets.protocols import Balanced, Official, Pool
from hammingway.errors import FileFormatError, MissingExtraError
from hammingway.progress import Progress

__all__ = ["CIFAR10", "CLASSES"]

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Names of the classes; a label is the position here, in every distribution."""

_SIDE = 32
_N_TRAIN, _N_TEST = 50_000, 10_000
_TELL_EVERY = 1000
_PIXELS = 3 * _SIDE * _SIDE
_MAX_IMAGE_BYTES = 1 << 20
_BINARY_NAMES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_BINARY_FOLDER = "cifar-10-batches-bin"
_BINARY_TAR = "cifar-10-binary.tar.gz"
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
_JPEG_TARS = ("cifar10-jpeg.tar.gz", "cifar10.tar.gz")
_JPEG_MEMBER = re.compile(rf"^(?:\./)?cifar10/(train|test)/({'|'.join(CLASSES)})/(\d+)\.(?:jpe?g|png)$")
_BINARY_MEMBER = re.compile(rf"^(?:\./)?{_BINARY_FOLDER}/((?:data_batch_[1-5]|test_batch)\.bin)$")
_OFFICIAL = RemoteFile(
    name=_BINARY_TAR,
    urls=(f"https://www.cs.toronto.edu/~kriz/{_BINARY_TAR}",),
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9dddda3db29a59bca1dd",
)


def _read_local(where: Path, progress: Progress | None) -> Pool | None:
    if where.is_file():
        return _from_tar(where, progress) if where.name.endswith(_TAR_ENDINGS) else None
    for folder in (where / _BINARY_FOLDER, where):
        if all((folder / name).is_file() for name in _BINARY_NAMES):
            return _from_batches({name: (folder / name).read_bytes() for name in _BINARY_NAMES}, str(folder))
    for name in (_BINARY_TAR, *_JPEG_TARS):
        if (where / name).is_file():
            return _from_tar(where / name, progress)
    return None


def _from_tar(path: Path, progress: Progress | None) -> Pool:
    """Return the pool of a tar file of either layout, read in one pass; nothing is extracted to disk."""
    batches: dict[str, bytes] = {}
    images: list[tuple[bool, int, int, NDArray[np.uint8]]] = []
    try:
        for name, file in _regular_members(path):
            if match := _BINARY_MEMBER.match(name):
                batches[match[1]] = file.read(_MAX_BATCH_BYTES + 1)
            elif match := _JPEG_MEMBER.match(name):
                pixels = _decode(file.read(_MAX_IMAGE_BYTES), f"{path}[{name}]")
                images.append((match[1] == "test", CLASSES.index(match[2]), int(match[3]), pixels))
                if progress is not None and len(images) % _TELL_EVERY == 0:
                    progress(len(images), _N_TRAIN + _N_TEST)
    # TypeError: tarfile takes the ord() of the byte after a gzip header that was cut short
    except (tarfile.TarError, EOFError, zlib.error, OSError, TypeError) as error:
        raise FileFormatError(f"{path} is not a readable tar file: {error}.") from error
    if batches:
        return _from_batches(batches, str(path))
    if images:
        return _from_images(images, path)
    raise FileFormatError(
        f"{path} holds neither {_BINARY_FOLDER}/*.bin nor cifar10/{{train,test}}/<class>/<number>.jpg; "
        "it is another data set."
    )


def _regular_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                yield member.name, file


def _decode(data: bytes, where: str) -> NDArray[np.uint8]:
    """Return the pixels of one image file as (3072,), channels last."""
    image_module = _pillow()
    try:
        with image_module.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            size = image.size
            pixels = np.asarray(image.convert("RGB")) if size == (_SIDE, _SIDE) else None
    except (OSError, ValueError, SyntaxError) as error:
        raise FileFormatError(f"{where} is not a readable image: {error}.") from error
    if pixels is None:
        raise FileFormatError(f"{where} has {size[0]} x {size[1]} pixels; {_SIDE} x {_SIDE} are expected.")
    return pixels.reshape(_PIXELS)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("Reading JPEG images", "data") from error
    return Image


def _from_images(images: list[tuple[bool, int, int, NDArray[np.uint8]]], path: Path) -> Pool:
    """Return the pool in the order (part, class, number), whatever the order in the tar file."""
    images.sort(key=lambda image: image[:3])
    keys = [image[:3] for image in images]
    if len(set(keys)) < len(keys):
        raise FileFormatError(f"{path} holds an image twice; pack it again from clean folders.")
    return Pool(
        vectors=np.stack([pixels for *_, pixels in images]),
        labels=np.array([label for _, label, _, _ in images], dtype=np.int64),
        n_train=sum(not is_test for is_test, *_ in images),
        source=f"{path} (re-encoded images, ordered by class and number)",
    )


_RECORD_BYTES = 1 + _PIXELS
_MAX_BATCH_BYTES = 10_000 * _RECORD_BYTES


def _from_batches(batches: dict[str, bytes], source: str) -> Pool:
    """Return the pool of the official binary version: records of a label byte and planes red, green, blue."""
    parts = []
    for name in _BINARY_NAMES:
        data = batches.get(name)
        if data is None:
            raise FileFormatError(f"{source} lacks {name}; the six batches of the binary version are expected.")
        if not data or len(data) % _RECORD_BYTES or len(data) > _MAX_BATCH_BYTES:
            raise FileFormatError(
                f"{source}: {name} has {len(data)} bytes; up to 10000 records of {_RECORD_BYTES} bytes are expected."
            )
        parts.append(np.frombuffer(data, np.uint8).reshape(-1, _RECORD_BYTES))
    records = np.concatenate(parts)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        raise FileFormatError(f"{source} has a label {labels.max()}; labels run from 0 to {len(CLASSES) - 1}.")
    planes = records[:, 1:].reshape(len(records), 3, _SIDE * _SIDE)
    return Pool(
        vectors=planes.transpose(0, 2, 1).reshape(len(records), _PIXELS),
        labels=labels,
        n_train=len(records) - len(parts[-1]),
        source=source,
    )


def _fetch(progress: Progress | None) -> Pool:
    return _from_tar(fetch(_OFFICIAL, cache_folder("cifar10")), progress)


CIFAR10 = NamedDataSet(
    name="cifar10",
    protocols={
        "cifar10": Balanced(n_queries_per_class=100, n_training_per_class=500, training_in_database=False),
        "cifar10-1": Balanced(n_queries_per_class=100, n_training_per_class=500, training_in_database=True),
        "cifar10-2": Official(),
    },
    read_local=_read_local,
    fetch=_fetch,
    layouts=f"{_BINARY_TAR}, its folder {_BINARY_FOLDER}, or {_JPEG_TARS[0]}",
    n_train=_N_TRAIN,
    n_test=_N_TEST,
)
