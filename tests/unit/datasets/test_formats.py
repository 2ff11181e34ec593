"""Every format returns what was written, and every damaged file is one clear error."""

import struct
import zipfile

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.datasets.formats import (
    FORMAT_NAMES,
    convert,
    detect,
    read_labels,
    read_neighbors,
    read_vectors,
    write_neighbors,
    write_vectors,
)
from hammingway.errors import FileFormatError, HammingwayError, InvalidInputError, ShapeError

DTYPES = {
    "npy": "<f8", "fvecs": "<f4", "ivecs": "<i4", "bvecs": "u1", "fbin": "<f4", "f16bin": "<f2",
    "u8bin": "u1", "i8bin": "i1", "ibin": "<i4", "hdf5": "<f4", "parquet": "<f4",
}  # fmt: skip
VECS = ("fvecs", "ivecs", "bvecs")
in_a_loop = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def numbers(name, shape, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(DTYPES[name])
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def written_once(path, array):
    """The bytes of ``array`` in the format of ``path``, written in the first example of a property only."""
    kept = path.with_name(f"kept.{path.suffix[1:]}")
    if not kept.exists():
        if kept.suffix == ".npz":
            np.savez_compressed(kept, array)
        else:
            write_vectors(kept, array)
    return bytearray(kept.read_bytes())


def spelled_out(name, array):
    """The file's bytes written down from the description of the format alone."""
    if name in VECS:
        return b"".join(struct.pack("<i", array.shape[1]) + row.tobytes() for row in array)
    return struct.pack("<II", *array.shape) + array.tobytes()


def test_every_written_format_is_tried_here():
    assert set(DTYPES) | {"npz"} == set(FORMAT_NAMES)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 8), (9, 63), (65, 64)])
def test_what_is_written_is_read_back(tmp_path, name, shape):
    path = tmp_path / f"file.{name}"
    array = numbers(name, shape)
    write_vectors(path, array)
    read = read_vectors(path)
    assert read.dtype == array.dtype
    assert_array_equal(read, array)
    assert detect(path) == name
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", [*VECS, "fbin", "f16bin", "u8bin", "i8bin", "ibin"])
def test_bytes_are_those_the_format_describes(tmp_path, name):
    path = tmp_path / f"file.{name}"
    array = numbers(name, (5, 3))
    write_vectors(path, array)
    assert path.read_bytes() == spelled_out(name, array)


@pytest.mark.parametrize("name", DTYPES)
def test_chunks_and_strided_and_read_only_arrays_give_the_same_file(tmp_path, name):
    array = numbers(name, (20, 6))[::2, ::-1]
    array.flags.writeable = False
    whole, pieces = tmp_path / f"whole.{name}", tmp_path / f"pieces.{name}"
    write_vectors(whole, array)
    write_vectors(pieces, (array[start : start + 3] for start in range(0, 10, 3)))
    assert_array_equal(read_vectors(pieces), read_vectors(whole))
    assert_array_equal(read_vectors(whole), array)


@pytest.mark.parametrize("name", sorted(set(DTYPES) - set(VECS) - {"parquet"}))
def test_no_row_keeps_the_dimension(tmp_path, name):
    path = tmp_path / f"file.{name}"
    write_vectors(path, numbers(name, (0, 4)))
    assert read_vectors(path).shape == (0, 4)


@pytest.mark.parametrize("name", VECS)
def test_vecs_refuse_to_hold_no_row(tmp_path, name):
    with pytest.raises(ShapeError, match="cannot be empty"):
        write_vectors(tmp_path / f"file.{name}", numbers(name, (0, 4)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["npy", "fvecs", "bvecs", "fbin", "ibin", "hdf5"])
def test_large_files_are_mapped_and_not_copied(tmp_path, name):
    path = tmp_path / f"file.{name}"
    write_vectors(path, numbers(name, (10, 4)))
    read = read_vectors(path)
    assert not read.flags.writeable
    assert not read.flags.owndata
    base = read
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


@pytest.mark.parametrize("name", DTYPES)
@in_a_loop
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_an_error_or_fewer_rows(tmp_path, name, cut):
    path = tmp_path / f"file.{name}"
    array = numbers(name, (12, 5))
    data = written_once(path, array)
    path.write_bytes(data[: int(len(data) * cut)])
    try:
        read = read_vectors(path)
    except FileFormatError as error:
        assert str(path) in str(error)
    else:
        assert name in VECS
        assert_array_equal(read, array[: len(read)])


@pytest.mark.parametrize("name", ["npy", "npz", *VECS, "fbin", "f16bin", "u8bin", "i8bin", "ibin"])
@in_a_loop
@given(st.data())
def test_random_headers_raise_only_our_errors(tmp_path, name, data):
    path = tmp_path / f"file.{name}"
    array = np.arange(12, dtype=DTYPES.get(name, "u1")).reshape(4, 3)
    content = written_once(path, array)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 128) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read = read_vectors(path)
    except HammingwayError:
        return
    assert read.ndim == 2
    assert read.nbytes <= 2 * len(content)


# Not HDF5: its C library can crash the process on damaged metadata, which no caller can catch.
@pytest.mark.parametrize("name", ["npz", "parquet"])
@settings(in_a_loop, max_examples=150)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_anywhere_in_a_container_raises_only_our_errors(tmp_path, name, flips):
    path = tmp_path / f"file.{name}"
    array = np.arange(40, dtype=np.float32).reshape(8, 5)
    content = written_once(path, array)
    for position, value in flips:
        content[int(position * len(content))] = value
    path.write_bytes(content)
    try:
        read = read_vectors(path)
    except HammingwayError as error:
        assert str(error).count("\n") == 0
    else:
        assert read.size <= 1000


@pytest.mark.parametrize("name", FORMAT_NAMES)
@in_a_loop
@given(content=st.binary(max_size=64))
def test_random_bytes_raise_only_our_errors(tmp_path, name, content):
    path = tmp_path / f"file.{name}"
    path.write_bytes(content)
    try:
        read = read_vectors(path)
    except HammingwayError as error:
        assert str(error).count("\n") == 0
    else:
        assert read.nbytes <= len(content)


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_missing_empty_and_folder_are_clear_errors(tmp_path, name):
    with pytest.raises(FileFormatError, match="No such file"):
        read_vectors(tmp_path / f"missing.{name}")
    (tmp_path / f"folder.{name}").mkdir()
    with pytest.raises(FileFormatError, match="no folder with npy files"):
        read_vectors(tmp_path / f"folder.{name}")
    (tmp_path / f"empty.{name}").touch()
    with pytest.raises(FileFormatError, match=r"empty"):
        read_vectors(tmp_path / f"empty.{name}")


def test_a_row_of_another_dimension_is_named(tmp_path):
    path = tmp_path / "mixed.fvecs"
    rows = struct.pack("<iff", 2, 0, 0) * 2 + struct.pack("<ii", 1, 0) + struct.pack("<i", 1)
    path.write_bytes(rows)
    with pytest.raises(FileFormatError, match="row 2 says 1 dimensions, row 0 says 2"):
        read_vectors(path)


@pytest.mark.parametrize("n_dims", [0, -1, -(2**31)])
def test_vecs_refuse_a_dimension_below_one(tmp_path, n_dims):
    path = tmp_path / "bad.fvecs"
    path.write_bytes(struct.pack("<if", n_dims, 1.0))
    with pytest.raises(FileFormatError, match=f"{n_dims} dimensions"):
        read_vectors(path)


def test_an_absurd_header_is_compared_without_overflow(tmp_path):
    path = tmp_path / "absurd.fbin"
    path.write_bytes(struct.pack("<II", 2**32 - 1, 2**32 - 1) + bytes(64))
    with pytest.raises(FileFormatError, match=str(8 + 4 * (2**32 - 1) ** 2)):
        read_vectors(path)


def test_size_errors_name_file_expected_and_found(tmp_path):
    path = tmp_path / "short.fbin"
    path.write_bytes(struct.pack("<II", 3, 2) + bytes(20))
    with pytest.raises(FileFormatError, match=r"short\.fbin has 28 bytes; .* take 32"):
        read_vectors(path)


def test_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "objects.npy"
    np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match="never unpickled"):
        read_vectors(path)


@pytest.mark.parametrize("array", [np.array([["a"]]), np.ones((2, 2), complex), np.zeros(2, "i4,f4")])
def test_values_that_are_not_real_numbers_are_refused(tmp_path, array):
    path = tmp_path / "odd.npy"
    np.save(path, array)
    with pytest.raises(FileFormatError, match="floating point or integers"):
        read_vectors(path)


def test_fortran_order_and_version_2_and_big_endian_npy_are_read(tmp_path):
    array = np.arange(12.0).reshape(3, 4)
    for name, other in {"fortran": np.asfortranarray(array), "big": array.astype(">f8")}.items():
        np.save(tmp_path / f"{name}.npy", other)
        assert_array_equal(read_vectors(tmp_path / f"{name}.npy"), array)
    with (tmp_path / "v2.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version=(2, 0))
    assert_array_equal(read_vectors(tmp_path / "v2.npy"), array)


def test_wrong_magic_is_told_with_what_was_found(tmp_path):
    for name in ("npy", "npz", "hdf5", "parquet"):
        path = tmp_path / f"text.{name}"
        path.write_text("id,a,b\n1,2,3\n")
        with pytest.raises(FileFormatError, match="id"):
            read_vectors(path)


def test_an_unknown_ending_is_recognised_by_its_first_bytes(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(2))
    (tmp_path / "a.npy").rename(tmp_path / "a.data")
    assert detect(tmp_path / "a.data") == "npy"
    (tmp_path / "b.data").write_bytes(b"hello there")
    with pytest.raises(FileFormatError, match="no known format"):
        detect(tmp_path / "b.data")


def test_npz_members_are_read_by_key_and_images_flattened(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.savez_compressed(tmp_path / "two.npz", images=images, labels=np.array([4, 5]))
    assert_array_equal(read_vectors(tmp_path / "two.npz", key="images"), images.reshape(2, 12))
    assert_array_equal(read_labels(tmp_path / "two.npz", key="labels"), [4, 5])
    with pytest.raises(InvalidInputError, match=r"2 arrays \(images, labels\)"):
        read_vectors(tmp_path / "two.npz")
    with pytest.raises(InvalidInputError, match="Did you mean 'images'"):
        read_vectors(tmp_path / "two.npz", key="image")
    with pytest.raises(FileFormatError, match=r"shape \(2,\)"):
        read_vectors(tmp_path / "two.npz", key="labels")


def test_a_damaged_npz_is_an_error(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, np.arange(100.0).reshape(10, 10))
    data = bytearray(path.read_bytes())
    data[400] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match="CRC"):
        read_vectors(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(InvalidInputError, match="0 arrays"):
        read_vectors(path)


def test_ibin_and_truth_are_told_apart_by_size(tmp_path):
    ids = np.arange(6, dtype=np.int32).reshape(2, 3)
    distances = ids / 7
    write_vectors(tmp_path / "ids.ibin", ids)
    write_neighbors(tmp_path / "both.ibin", ids, distances)
    write_neighbors(tmp_path / "step3.gt100", ids, distances)
    assert detect(tmp_path / "ids.ibin") == "ibin"
    assert detect(tmp_path / "both.ibin") == "ibin-truth"
    assert (tmp_path / "both.ibin").stat().st_size == 8 + 8 * 6
    for name in ("both.ibin", "step3.gt100"):
        read_ids, read_distances = read_neighbors(tmp_path / name)
        assert read_ids.dtype == np.int64
        assert_array_equal(read_ids, ids)
        assert_array_equal(read_distances, distances.astype(np.float32))
        assert_array_equal(read_vectors(tmp_path / name, key="distances"), distances.astype(np.float32))
    only_ids, none = read_neighbors(tmp_path / "ids.ibin")
    assert_array_equal(only_ids, ids)
    assert none is None


def test_ids_beyond_int32_are_not_written(tmp_path):
    with pytest.raises(InvalidInputError, match="int32"):
        write_neighbors(tmp_path / "t.ibin", np.array([[2**31]]), np.zeros((1, 1)))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def ann_benchmarks(tmp_path):
    path = tmp_path / "ann.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs.update(type="dense", distance="hamming", dimension=9, point_type="bit")
        file["train"] = np.arange(36).reshape(4, 9) % 2 == 1
        file["test"] = np.ones((2, 9), bool)
        file["neighbors"] = np.array([[1, 0], [2, 3]], np.int32)
        file["distances"] = np.array([[1.0, 2.0], [0.5, 0.75]])
    return path


def test_ann_benchmarks_files_give_every_data_set(ann_benchmarks):
    assert_array_equal(read_vectors(ann_benchmarks), np.arange(36).reshape(4, 9) % 2)
    assert read_vectors(ann_benchmarks).dtype == np.uint8
    assert read_vectors(ann_benchmarks, key="test").shape == (2, 9)
    ids, distances = read_neighbors(ann_benchmarks)
    assert_array_equal(ids, [[1, 0], [2, 3]])
    assert_array_equal(distances, np.array([[1, 2], [0.5, 0.75]], np.float32))
    with pytest.raises(InvalidInputError, match="Did you mean 'train'"):
        read_vectors(ann_benchmarks, key="trian")


def test_compressed_hdf5_is_read_too(tmp_path):
    array = numbers("hdf5", (50, 8))
    with h5py.File(tmp_path / "z.hdf5", "w") as file:
        file.create_dataset("train", data=array, compression="gzip", chunks=(7, 8))
    seen = []
    assert_array_equal(read_vectors(tmp_path / "z.hdf5", progress=lambda *at: seen.append(at)), array)
    assert seen == [(50, 50)]


def test_sparse_hdf5_is_refused(tmp_path):
    with h5py.File(tmp_path / "s.hdf5", "w") as file:
        file.attrs["type"] = "sparse"
        file["train"] = np.arange(5)
    with pytest.raises(FileFormatError, match="sparse"):
        read_vectors(tmp_path / "s.hdf5")


def test_parquet_lists_of_every_kind_are_read(tmp_path):
    array = numbers("parquet", (6, 4))
    flat = pa.array(array.reshape(-1))
    offsets = np.arange(0, 25, 4)
    columns = {
        "emb": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat),
        "fixed": pa.FixedSizeListArray.from_arrays(flat, 4),
        "large": pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat),
        "label": pa.array(range(6)),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=4)
    for key in (None, "emb", "fixed", "large"):
        assert_array_equal(read_vectors(tmp_path / "t.parquet", key=key), array)
    assert_array_equal(read_labels(tmp_path / "t.parquet", key="label"), np.arange(6))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1.0, 2.0], [1.0]]), "row 1 .* has 1 values, the first row has 2"),
        (pa.array([[1.0, 2.0], None]), "missing"),
        (pa.array([[1.0, 2.0], [None, 1.0]]), "missing"),
        (pa.array([["a"], ["b"]]), "numbers"),
        (pa.array([[], []], pa.list_(pa.float32())), "at least 1"),
        (pa.array([], pa.list_(pa.float32())), "no row"),
    ],
)
def test_parquet_rows_that_are_not_vectors_are_refused(tmp_path, column, message):
    pq.write_table(pa.table({"emb": column}), tmp_path / "t.parquet")
    with pytest.raises(FileFormatError, match=message):
        read_vectors(tmp_path / "t.parquet")


def test_parquet_with_two_vector_columns_asks_for_a_key(tmp_path):
    column = pa.array([[1.0], [2.0]])
    pq.write_table(pa.table({"a": column, "b": column}), tmp_path / "t.parquet")
    with pytest.raises(InvalidInputError, match="2 columns"):
        read_vectors(tmp_path / "t.parquet")
    assert_array_equal(read_vectors(tmp_path / "t.parquet", key="b"), [[1], [2]])


@pytest.mark.parametrize("source", DTYPES)
def test_any_format_converts_to_npy_and_back_again(tmp_path, source):
    array = numbers(source, (11, 3))
    write_vectors(tmp_path / f"a.{source}", array)
    seen = []
    assert convert(tmp_path / f"a.{source}", tmp_path / "b.npy", progress=lambda *at: seen.append(at)) == (11, 3)
    assert seen[-1] == (11, 11)
    convert(tmp_path / "b.npy", tmp_path / f"c.{source}")
    assert_array_equal(read_vectors(tmp_path / f"c.{source}"), array)


def test_conversion_streams_in_small_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("hammingway.datasets.formats.base.CHUNK_BYTES", 64)
    array = numbers("parquet", (100, 4))
    write_vectors(tmp_path / "a.parquet", array)
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 25
    seen = []
    convert(tmp_path / "a.parquet", tmp_path / "b.hdf5", progress=lambda *at: seen.append(at))
    assert seen == [(done, 100) for done in range(4, 101, 4)]
    assert_array_equal(read_vectors(tmp_path / "b.hdf5"), array)


def test_a_file_is_not_converted_onto_itself(tmp_path):
    write_vectors(tmp_path / "a.npy", np.eye(2))
    with pytest.raises(InvalidInputError, match="onto itself"):
        convert(tmp_path / "a.npy", tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("values", "target"),
    [
        ([[300]], "bvecs"), ([[-1]], "bvecs"), ([[200]], "i8bin"), ([[0.5]], "ivecs"), ([[np.nan]], "ivecs"),
        ([[2**24 + 1]], "fvecs"), ([[2**53 + 1]], "fvecs"), ([[1e300]], "fvecs"), ([[2**31]], "ibin"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused_and_leave_no_file(tmp_path, values, target):
    with pytest.raises(InvalidInputError, match="cannot"):
        write_vectors(tmp_path / f"a.{target}", np.array(values))
    assert not list(tmp_path.iterdir())


def test_floats_round_to_shorter_floats_and_keep_nan_and_infinity(tmp_path):
    array = np.array([[0.1, np.nan, np.inf, -np.inf]])
    write_vectors(tmp_path / "a.fvecs", array)
    assert_array_equal(read_vectors(tmp_path / "a.fvecs"), array.astype(np.float32))


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npy"
    write_vectors(path, np.eye(2))

    def chunks():
        yield np.ones((1, 2))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_vectors(path, chunks())
    assert_array_equal(read_vectors(path), np.eye(2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npy"]


def test_wrong_requests_are_clear_errors(tmp_path):
    with pytest.raises(InvalidInputError, match="only read"):
        write_vectors(tmp_path / "a.npz", np.eye(2))
    with pytest.raises(InvalidInputError, match="ending"):
        write_vectors(tmp_path / "a.xyz", np.eye(2))
    with pytest.raises(InvalidInputError, match=r"Did you mean .*'npy'"):
        write_vectors(tmp_path / "a", np.eye(2), format="npx")
    with pytest.raises(InvalidInputError, match="create it"):
        write_vectors(tmp_path / "no" / "a.npy", np.eye(2))
    with pytest.raises(InvalidInputError, match="is a folder"):
        (tmp_path / "d.npy").mkdir()
        write_vectors(tmp_path / "d.npy", np.eye(2))
    with pytest.raises(InvalidInputError, match="key"):
        write_vectors(tmp_path / "a.npy", np.eye(2), key="train")
    with pytest.raises(ShapeError, match=r"\(n, d\)"):
        write_vectors(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(ShapeError, match="no chunk"):
        write_vectors(tmp_path / "a.npy", iter(()))
    with pytest.raises(ShapeError, match="2 columns"):
        write_vectors(tmp_path / "a.npy", iter([np.eye(2), np.eye(3)]))
    with pytest.raises(ShapeError, match="n_rows is 5"):
        write_vectors(tmp_path / "a.npy", iter([np.eye(2)]), n_rows=5)
    with pytest.raises(InvalidInputError, match="needs n_rows"):
        write_vectors(tmp_path / "a.npy", iter([np.eye(2)]), progress=print)
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.npy"]


def test_labels_must_be_one_whole_number_a_row(tmp_path):
    np.save(tmp_path / "half.npy", np.array([0.5, 1.0]))
    with pytest.raises(FileFormatError, match="not whole"):
        read_labels(tmp_path / "half.npy")
    with pytest.raises(FileFormatError, match=r"\(n,\)"):
        np.save(tmp_path / "matrix.npy", np.eye(2))
        read_labels(tmp_path / "matrix.npy")
    write_vectors(tmp_path / "column.ivecs", np.array([[3], [4]]))
    assert_array_equal(read_labels(tmp_path / "column.ivecs"), [3, 4])


@pytest.mark.parametrize(("name", "key"), [("a.parquet", "id"), ("a.h5", "/"), ("a.h5", "\udcff")])
def test_a_key_that_cannot_hold_vectors_is_refused(tmp_path, name, key):
    with pytest.raises(InvalidInputError, match="key"):
        write_vectors(tmp_path / name, np.eye(3), key=key)
    assert list(tmp_path.iterdir()) == []
