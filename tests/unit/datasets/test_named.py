"""Local copies of every layout give the same images; anything else is one clear error."""

import dataclasses
import gzip
import hashlib
import io
import struct
import tarfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from hammingway import registry
from hammingway.datasets import DATA_VARIABLE, Balanced, Official, cifar10, load, mnist
from hammingway.datasets.download import RemoteFile, fetch
from hammingway.errors import DownloadError, FileFormatError, InvalidInputError, UnknownNameError

N_TRAIN, N_TEST = 40, 20
IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SMALL = {
    "small-1": Balanced(n_queries_per_class=1, n_training_per_class=2, training_in_database=True),
    "small-2": Official(),
}


def small(name):
    """The built-in set with its readers, but of sixty images."""
    return dataclasses.replace(registry.load("datasets", name), protocols=SMALL, n_train=N_TRAIN, n_test=N_TEST)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


@pytest.fixture
def grey():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N_TRAIN + N_TEST, 28, 28), dtype=np.uint8)
    labels = (np.arange(N_TRAIN + N_TEST) % 10).astype(np.uint8)
    return images[:N_TRAIN], labels[:N_TRAIN], images[N_TRAIN:], labels[N_TRAIN:]


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder, arrays, suffix=""):
    folder.mkdir(parents=True)
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        data = idx_bytes(array)
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)


def lay_out(root, layout, arrays):
    """Write one layout of MNIST and return the path to give as data_dir."""
    if layout in ("npz", "npz file"):
        np.savez(root / "mnist.npz", **dict(zip(mnist._NPZ_KEYS[0], arrays, strict=True)))
        return root / "mnist.npz" if layout == "npz file" else root
    if layout == "keras npz":
        np.savez_compressed(root / "mnist.npz", **dict(zip(mnist._NPZ_KEYS[1], arrays, strict=True)))
        return root
    write_idx(root / {"idx": "mnist", "idx gz": "mnist", "raw": "MNIST/raw"}[layout], arrays, ".gz" * (layout != "idx"))
    return root if layout != "idx gz" else root / "mnist"


@pytest.mark.parametrize("layout", ["npz", "npz file", "keras npz", "idx", "idx gz", "raw"])
def test_every_layout_of_mnist_gives_the_same_rows(tmp_path, grey, layout):
    seen = []
    where = lay_out(tmp_path, layout, grey)
    data = small("mnist").load(protocol="small-2", data_dir=where, progress=lambda *at: seen.append(at))
    assert data.database.dtype == np.uint8
    assert_array_equal(data.database, grey[0].reshape(N_TRAIN, 784))
    assert_array_equal(data.queries, grey[2].reshape(N_TEST, 784))
    assert_array_equal(data.query_labels, grey[3])
    assert seen == [(60, 60)]


def test_the_environment_variable_is_looked_at_and_data_dir_wins(tmp_path, grey, monkeypatch):
    (tmp_path / "a").mkdir()
    lay_out(tmp_path / "a", "npz", grey)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "a"))
    assert len(small("mnist").load().queries) == 10
    with pytest.raises(InvalidInputError, match="holds no copy of mnist"):
        small("mnist").load(data_dir=tmp_path)


def test_digits_of_mnist_are_never_taken_for_fashion(tmp_path, grey):
    write_idx(tmp_path / "mnist", grey)
    for where in (tmp_path, tmp_path / "mnist"):
        with pytest.raises(InvalidInputError, match="holds no copy of fashion-mnist"):
            small("fashion-mnist").load(data_dir=where)
    write_idx(tmp_path / "FashionMNIST" / "raw", grey)
    assert small("fashion-mnist").load(data_dir=tmp_path).name == "fashion-mnist"


def test_a_copy_of_another_size_is_refused(tmp_path, grey):
    lay_out(tmp_path, "npz", grey)
    with pytest.raises(FileFormatError, match="40 training and 20 test images; mnist has 60000 and 10000"):
        load("mnist", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "31359 bytes of data; its header says shape"),
        (lambda data: data + b"x", "more than 31360"),
        (lambda data: b"\0\0\x09\x03" + data[4:], "starts with 00 00 09 03"),
        (lambda data: data[:10], "header of 16 bytes"),
        (lambda data: b"", "starts with"),
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], "so large"),
    ],
)
def test_damaged_idx_files_are_clear_errors(tmp_path, grey, damage, message):
    write_idx(tmp_path / "mnist", grey)
    path = tmp_path / "mnist" / IDX_NAMES[0]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match=message):
        small("mnist").load(data_dir=tmp_path)


def test_a_truncated_gz_is_a_clear_error(tmp_path, grey):
    write_idx(tmp_path / "mnist", grey, ".gz")
    path = tmp_path / "mnist" / f"{IDX_NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match="not a readable idx file"):
        small("mnist").load(data_dir=tmp_path)


def test_an_npz_of_other_arrays_is_refused(tmp_path, grey):
    np.savez(tmp_path / "mnist.npz", images=grey[0])
    with pytest.raises(FileFormatError, match="neither the arrays train_images"):
        small("mnist").load(data_dir=tmp_path)
    np.savez(tmp_path / "mnist.npz", **dict(zip(mnist._NPZ_KEYS[0], (*grey[:3], grey[3][:-1]), strict=True)))
    with pytest.raises(FileFormatError, match=r"20, 784.* and 19 labels"):
        small("mnist").load(data_dir=tmp_path)


@pytest.fixture
def colour():
    """Images of one colour each, which JPEG keeps nearly."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (N_TRAIN + N_TEST, 1, 3), dtype=np.uint8)
    return np.repeat(pixels, 1024, axis=1).reshape(-1, 3072), np.sort(np.arange(N_TRAIN + N_TEST) % 10)


def add(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def binary_batches(rows, labels):
    """The six batches of the official layout: eight images in each of five, the rest in the last."""
    planes = rows.reshape(-1, 1024, 3).transpose(0, 2, 1).reshape(-1, 3072)
    records = np.concatenate([labels[:, None].astype(np.uint8), planes], axis=1)
    edges = [0, 8, 16, 24, 32, 40, 60]
    pieces = [records[start:stop].tobytes() for start, stop in pairwise(edges)]
    return dict(zip(cifar10._BINARY_NAMES, pieces, strict=True))


def encoded(row, file_format="JPEG"):
    buffer = io.BytesIO()
    Image.fromarray(row.reshape(32, 32, 3)).save(buffer, file_format, quality=95)
    return buffer.getvalue()


def test_the_official_binary_version_is_read_from_tar_and_folder(tmp_path, colour):
    rows, labels = colour
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, data in binary_batches(rows, labels).items():
            (folder / name).write_bytes(data)
            add(archive, f"cifar-10-batches-bin/{name}", data)
    for where in (tmp_path, folder, tmp_path / "cifar-10-binary.tar.gz"):
        data = small("cifar10").load(protocol="small-2", data_dir=where)
        assert_array_equal(data.database, rows[:N_TRAIN])
        assert_array_equal(data.queries, rows[N_TRAIN:])
        assert_array_equal(data.query_labels, labels[N_TRAIN:])


def jpeg_members(rows, labels):
    members = {}
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        part = "train" if number % 3 else "test"
        members[f"cifar10/{part}/{cifar10.CLASSES[label]}/{number:04}.jpg"] = row
    return members


def test_jpeg_images_are_read_from_the_tar_whatever_their_order(tmp_path, colour):
    members = jpeg_members(*colour)
    with tarfile.open(tmp_path / "cifar10-jpeg.tar.gz", "w:gz") as archive:
        for name in reversed(members):
            add(archive, name, encoded(members[name]))
    data = small("cifar10").load(protocol="small-2", data_dir=tmp_path)
    expected = [members[name] for name in sorted(members) if "/test/" in name]
    assert_allclose(data.queries.astype(float), expected, atol=3)
    assert_array_equal(data.query_labels, np.sort(data.query_labels))
    assert [entry.name for entry in tmp_path.iterdir()] == ["cifar10-jpeg.tar.gz"]


def test_members_outside_the_layout_and_links_are_never_followed(tmp_path, colour):
    members = jpeg_members(*colour)
    outside = tmp_path / "outside.jpg"
    with tarfile.open(tmp_path / "cifar10-jpeg.tar.gz", "w:gz") as archive:
        for name, row in members.items():
            add(archive, name, encoded(row))
        add(archive, "../outside.jpg", b"evil")
        add(archive, str(outside), b"evil")
        link = tarfile.TarInfo("cifar10/test/cat/9999.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    data = small("cifar10").load(protocol="small-2", data_dir=tmp_path)
    assert len(data.queries) + len(data.database) == len(members)
    assert not outside.exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"readme.txt": b"x"}, "holds neither"),
        ({"cifar10/test/cat/1.jpg": b"not a picture"}, r"cat/1\.jpg\] is not a readable image"),
        ({"cifar10/test/cat/1.jpg": encoded(np.zeros(3072, np.uint8))[:200]}, "not a readable image"),
        ({"cifar-10-batches-bin/test_batch.bin": bytes(3073)}, "lacks data_batch_1"),
        ({f"cifar-10-batches-bin/{name}": bytes(3072) for name in cifar10._BINARY_NAMES}, "has 3072 bytes"),
        ({f"cifar-10-batches-bin/{name}": b"\x0a" + bytes(3072) for name in cifar10._BINARY_NAMES}, "label 10"),
    ],
)
def test_other_or_damaged_tars_are_clear_errors(tmp_path, members, message):
    with tarfile.open(tmp_path / "cifar10.tar.gz", "w:gz") as archive:
        for name, data in members.items():
            add(archive, name, data)
    with pytest.raises(FileFormatError, match=message):
        small("cifar10").load(data_dir=tmp_path)


def test_an_image_of_another_size_or_held_twice_is_refused(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (33, 32)).save(buffer, "PNG")
    path = tmp_path / "cifar10.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "cifar10/test/cat/1.png", buffer.getvalue())
    with pytest.raises(FileFormatError, match="33 x 32 pixels"):
        small("cifar10").load(data_dir=path)
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            add(archive, "cifar10/test/cat/1.png", encoded(np.zeros(3072, np.uint8), "PNG"))
    with pytest.raises(FileFormatError, match="twice"):
        small("cifar10").load(data_dir=path)


def test_a_truncated_tar_is_a_clear_error(tmp_path, colour):
    path = tmp_path / "cifar10-jpeg.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, row in jpeg_members(*colour).items():
            add(archive, name, encoded(row))
    data = path.read_bytes()
    for size in (12, 200, 1000, 2000, len(data) // 2, len(data) * 9 // 10):
        path.write_bytes(data[:size])
        with pytest.raises((FileFormatError, InvalidInputError), match=r"cifar10-jpeg\.tar\.gz"):
            small("cifar10").load(data_dir=path)


def test_unknown_names_and_places_are_clear_errors(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        load("cifar-10")
    with pytest.raises(UnknownNameError, match="'cifar10-2'"):
        load("cifar10", protocol="cifar10-3")
    with pytest.raises(InvalidInputError, match="does not exist"):
        load("mnist", data_dir=tmp_path / "nowhere")
    with pytest.raises(InvalidInputError, match="embedded"):
        load("digits", data_dir=tmp_path)


class _Served(BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}  # noqa: RUF012 (set by the fixture)

    def do_GET(self):
        data = self.files.get(self.path)
        self.send_response(200 if data is not None else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (_Served,), {"files": {}})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", handler.files
    http.shutdown()
    thread.join()
    http.server_close()


def remote(name, data, *urls):
    return RemoteFile(name=name, urls=urls, sha256=hashlib.sha256(data).hexdigest())


def test_a_download_is_checked_cached_and_not_repeated(tmp_path, server):
    base, files = server
    files["/a.bin"] = b"right"
    file = remote("a.bin", b"right", f"{base}/missing", f"{base}/a.bin")
    assert fetch(file, tmp_path).read_bytes() == b"right"
    files.clear()
    assert fetch(file, tmp_path).read_bytes() == b"right"


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path, server):
    base, files = server
    files["/a.bin"] = b"wrong"
    with pytest.raises(DownloadError, match="wrong checksum"):
        fetch(remote("a.bin", b"right", f"{base}/a.bin"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_mnist_is_downloaded_when_there_is_no_local_copy(tmp_path, server, grey, monkeypatch):
    base, files = server
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: tmp_path / "cache")
    packed = [gzip.compress(idx_bytes(array)) for array in grey]
    files.update({f"/{name}.gz": data for name, data in zip(IDX_NAMES, packed, strict=True)})
    digests = tuple(hashlib.sha256(data).hexdigest() for data in packed)
    home = mnist._Home(name="mnist", folders=("mnist",), npz_names=("mnist.npz",), bases=(f"{base}/",), sha256=digests)
    data_set = dataclasses.replace(small("mnist"), fetch=partial(mnist._fetch, home))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert_array_equal(data_set.load(protocol="small-2").queries, grey[2].reshape(N_TEST, 784))
    assert len(list((tmp_path / "cache" / "datasets" / "mnist").iterdir())) == 4


def test_offline_the_error_says_how_to_give_a_local_copy(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: tmp_path)
    digests = ("0" * 64,) * 4
    home = mnist._Home(
        name="mnist", folders=("mnist",), npz_names=("mnist.npz",), bases=("http://127.0.0.1:9/",), sha256=digests
    )
    data_set = dataclasses.replace(small("mnist"), fetch=partial(mnist._fetch, home))
    with pytest.raises(DownloadError, match=r"no answer .*--data-dir .*HAMMINGWAY_DATA; it should contain mnist\.npz"):
        data_set.load()
