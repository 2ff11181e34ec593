"""Formats of the field, without checksums: a damaged file is refused by name, or means what its bytes say."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal

from fuzz.damage import SLOW, damaged, edits, examples, read_or_refuse
from hammingway.datasets.cifar10 import CIFAR10
from hammingway.datasets.formats import read_labels, read_neighbors, read_vectors, write_neighbors, write_vectors
from hammingway.datasets.idx import read_idx
from hammingway.datasets.mnist import MNIST
from hammingway.errors import FileFormatError

pytestmark = [pytest.mark.timeout(7200 if SLOW else 120)]

RNG = np.random.default_rng(0)
VALUES = RNG.integers(0, 100, (9, 6))
TYPES = {"fvecs": "<f4", "ivecs": "<i4", "bvecs": "u1", "fbin": "<f4", "f16bin": "<f2", "u8bin": "u1", "i8bin": "i1"}


def plainly_read(name: str, content: bytes) -> Any:
    """Return the rows of a vecs or bin file, from the description of the format alone."""
    dtype = np.dtype(TYPES[name])
    if name.endswith("vecs"):
        (n_dims,) = struct.unpack_from("<i", content)
        record = np.dtype([("n_dims", "<i4"), ("row", dtype, (n_dims,))])
        return np.frombuffer(content, record)["row"]
    n, n_dims = struct.unpack_from("<II", content)
    return np.frombuffer(content, dtype, offset=8).reshape(n, n_dims)


@pytest.mark.parametrize("name", TYPES)
def test_damaged_rows_are_refused_or_read_as_they_stand(tmp_path, name):
    path = tmp_path / f"bad.{name}"
    write_vectors(path, VALUES)
    content = path.read_bytes()

    @examples(60)
    @given(edits)
    def check(changes):
        changed = damaged(content, changes)
        path.unlink()
        path.write_bytes(changed)
        vectors = read_or_refuse(lambda path: np.array(read_vectors(path)), path)
        if vectors is not None:
            assert vectors.dtype == np.dtype(TYPES[name])
            assert_array_equal(vectors, plainly_read(name, changed))

    check()


@pytest.mark.parametrize("array", [VALUES.astype(np.float32), VALUES[:, 0], np.asfortranarray(VALUES), VALUES > 50])
def test_a_damaged_npy_is_refused_or_read_as_numpy_reads_it(tmp_path, array):
    path = tmp_path / "bad.npy"
    np.save(path, array)
    content = path.read_bytes()

    def read(path: Path) -> Any:
        return np.array(read_vectors(path) if array.ndim == 2 else read_labels(path))

    @examples(40)
    @given(edits)
    def check(changes):
        path.unlink()
        path.write_bytes(damaged(content, changes))
        found = read_or_refuse(read, path)
        if found is not None:
            expected = np.load(path, allow_pickle=False)
            if expected.dtype == np.bool_:  # a damaged one may hold bytes other than 0 and 1
                expected = expected.view(np.uint8)
            assert_array_equal(found, expected.reshape(len(expected), -1) if array.ndim == 2 else expected.reshape(-1))

    check()


@pytest.mark.parametrize("name", ["bad.ibin", "bad.gt10"])
def test_damaged_true_neighbours_are_refused_or_read_as_they_stand(tmp_path, name):
    path = tmp_path / name
    write_neighbors(path, VALUES, np.sqrt(VALUES))
    content = path.read_bytes()

    @examples(60)
    @given(edits)
    def check(changes):
        changed = damaged(content, changes)
        path.unlink()
        path.write_bytes(changed)
        found = read_or_refuse(read_neighbors, path)
        if found is None:
            return
        ids, distances = found
        n, k = struct.unpack_from("<II", changed)
        assert_array_equal(ids, np.frombuffer(changed, "<i4", n * k, offset=8).reshape(n, k))
        if distances is not None:
            assert_array_equal(distances, np.frombuffer(changed, "<f4", n * k, offset=8 + 4 * n * k).reshape(n, k))

    check()


def test_a_damaged_idx_is_refused_or_read_as_it_stands(tmp_path):
    path = tmp_path / "bad-idx3-ubyte"
    content = bytes([0, 0, 8, 3]) + np.array([5, 4, 3], ">u4").tobytes() + bytes(range(60))

    @examples(80)
    @given(edits)
    def check(changes):
        changed = damaged(content, changes)
        path.write_bytes(changed)
        found = read_or_refuse(lambda path: read_idx(path, n_axes=3), path)
        if found is not None:
            assert_array_equal(
                found, np.frombuffer(changed, np.uint8, offset=16).reshape(struct.unpack(">3I", changed[4:16]))
            )

    check()


def write_mnist(path: Path) -> None:
    images, labels = RNG.integers(0, 256, (30, 4, 4), dtype=np.uint8), np.arange(30) % 10
    np.savez_compressed(path, x_train=images[:20], y_train=labels[:20], x_test=images[20:], y_test=labels[20:])


def write_class_folders(path: Path) -> None:
    import io
    import tarfile

    from PIL import Image

    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(["train/cat/1.png", "train/dog/2.png", "test/cat/1.png"]):
            image = io.BytesIO()
            Image.fromarray(RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(image, "JPEG" if number else "PNG")
            member = tarfile.TarInfo(f"cifar10/{name}")
            member.size = len(image.getvalue())
            archive.addfile(member, io.BytesIO(image.getvalue()))


def write_batches(path: Path) -> None:
    import io
    import tarfile

    with tarfile.open(path, "w:gz") as archive:
        for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
            records = RNG.integers(0, 10, (2, 3073), dtype=np.uint8).tobytes()
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(records)
            archive.addfile(member, io.BytesIO(records))


@pytest.mark.parametrize(
    ("data_set", "name", "write"),
    [
        (MNIST, "mnist.npz", write_mnist),
        (CIFAR10, "cifar10.tar", write_class_folders),
        (CIFAR10, "cifar-10-binary.tar.gz", write_batches),
    ],
)
def test_a_damaged_data_set_is_refused_or_keeps_its_form(tmp_path, data_set, name, write):
    path = tmp_path / name
    write(path)
    content = path.read_bytes()
    right = data_set.read_local(path, None)

    @examples(40)
    @given(edits)
    def check(changes):
        path.write_bytes(damaged(content, changes))
        pool = read_or_refuse(lambda path: data_set.read_local(path, None), path)
        if pool is not None:
            assert pool.vectors.dtype == right.vectors.dtype
            assert pool.vectors.shape[1] == right.vectors.shape[1]
            assert len(pool.vectors) == len(pool.labels)
            assert 0 <= pool.n_train <= len(pool.labels)

    check()


@pytest.mark.parametrize("length", range(12))
def test_a_tar_cut_in_its_first_bytes_is_refused(tmp_path, length):
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_batches(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FileFormatError, match="cifar-10-binary"):
        CIFAR10.read_local(path, None)
