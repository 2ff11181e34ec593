import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.datasets.formats import convert, detect, read_class_folders, read_labels, read_vectors
from hammingway.errors import FileFormatError, InvalidInputError


def write(root, files):
    for name, values in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, np.asarray(values))


def test_numbers_in_names_count_by_value_and_labels_by_the_place_of_the_class(tmp_path):
    write(tmp_path, {"10/1.npy": [10, 1], "2/10.npy": [2, 10], "2/9.npy": [2, 9], "0/5.npy": [0, 5]})
    found = read_class_folders(tmp_path)
    assert_array_equal(found.vectors, [[0, 5], [2, 9], [2, 10], [10, 1]])
    assert_array_equal(found.labels, [0, 1, 1, 2])
    assert found.classes == ["0", "2", "10"]
    assert found.files == ["0/5.npy", "2/9.npy", "2/10.npy", "10/1.npy"]
    assert found.vectors.dtype == np.float32 and found.labels.dtype == np.int64


def test_words_and_numbers_in_names_sort_together(tmp_path):
    write(tmp_path, {f"{name}/a.npy": [0] for name in ("car 10", "car 2", "3", "bus", "01", "1")})
    assert read_class_folders(tmp_path).classes == ["01", "1", "3", "bus", "car 2", "car 10"]


def test_stray_files_and_empty_folders_are_no_classes(tmp_path):
    write(tmp_path, {"a/0.npy": [[1.5], [2.5]]})
    (tmp_path / "notes.npy").write_bytes(b"not below a class")
    (tmp_path / "a" / "readme.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    found = read_class_folders(tmp_path)
    assert found.classes == ["a"]
    assert_array_equal(found.vectors, [[1.5, 2.5]])


def test_progress_ends_with_all_files(tmp_path):
    write(tmp_path, {f"a/{number}.npy": [number] for number in range(5)})
    told = []
    read_class_folders(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)


def test_what_cannot_be_read_is_told_with_its_path(tmp_path):
    with pytest.raises(FileFormatError, match="is not a folder"):
        read_class_folders(tmp_path / "none")
    with pytest.raises(FileFormatError, match="no folder with npy files"):
        read_class_folders(tmp_path)
    write(tmp_path, {"a/0.npy": [1, 2], "b/1.npy": [1, 2, 3]})
    with pytest.raises(FileFormatError, match=r"1\.npy holds 3 values; .*0\.npy holds 2"):
        read_class_folders(tmp_path)
    (tmp_path / "b" / "1.npy").write_bytes(b"\x93NUMPY damaged")
    with pytest.raises(FileFormatError, match=r"1\.npy"):
        read_class_folders(tmp_path)


def test_a_folder_is_read_where_files_of_vectors_and_labels_are(tmp_path):
    root = tmp_path / "root"
    write(root, {"10/1.npy": [10, 1], "2/10.npy": [2, 10], "0/5.npy": [0, 5]})
    assert_array_equal(read_vectors(root), [[0, 5], [2, 10], [10, 1]])
    assert_array_equal(read_labels(root), [0, 1, 2])
    assert detect(root) == "class-folders"
    assert convert(root, tmp_path / "all.npy") == (3, 2)
    assert_array_equal(np.load(tmp_path / "all.npy"), [[0, 5], [2, 10], [10, 1]])
    for read in (read_vectors, read_labels):
        with pytest.raises(InvalidInputError, match="holds one array"):
            read(root, key="x")
        with pytest.raises(FileFormatError, match="no folder with npy files"):
            read(root / "10")
