"""A stored file is whole or absent, and a damaged one is never taken for a sound one."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.testing import assert_array_equal
from safetensors.numpy import save_file

from hammingway import storage
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.storage import atomic_path, atomic_writer, digest, looks_sealed, read_arrays, read_kind, write_arrays

DTYPES = [np.bool_, np.uint8, np.int16, np.uint64, np.int64, np.float16, np.float32, np.float64]
SMALL = {"codes": np.arange(6, dtype=np.uint8).reshape(2, 3), "mean": np.array([0.5, -1.0])}


@settings(max_examples=40)  # each is flushed to disk
@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    ),
    header=st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.booleans()), max_size=4),
)
def test_arrays_and_header_come_back_as_written(tmp_path_factory, array, header):
    path = tmp_path_factory.mktemp("storage") / "file"
    write_arrays(path, {"one": array, "two": array.T}, kind="x", header=header)
    arrays, read_header = read_arrays(path, kind="x")
    assert read_header == header
    for name, expected in (("one", array), ("two", array.T)):
        assert arrays[name].shape == expected.shape
        assert arrays[name].dtype == expected.dtype
        assert_array_equal(arrays[name], expected)


def test_foreign_byte_order_strides_and_read_only_come_back_native(tmp_path):
    wide = np.arange(12, dtype=">i4").reshape(3, 4)
    strided = wide[::2, ::-1]
    strided.flags.writeable = False
    write_arrays(tmp_path / "file", {"a": strided}, kind="x", header={})
    arrays, _ = read_arrays(tmp_path / "file", kind="x")
    assert_array_equal(arrays["a"], [[3, 2, 1, 0], [11, 10, 9, 8]])
    assert arrays["a"].dtype == np.int32


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.zeros(2, complex), np.zeros(2, np.longdouble)])
def test_arrays_that_hold_no_plain_numbers_are_refused(tmp_path, array):
    with pytest.raises(InvalidInputError, match="array 'a' must be bool, integer or float"):
        write_arrays(tmp_path / "file", {"a": array}, kind="x", header={})
    assert list(tmp_path.iterdir()) == []


def test_same_content_gives_the_same_bytes(tmp_path):
    written = set()
    for _ in range(8):
        write_arrays(tmp_path / "file", SMALL, kind="x", header={"b": 1, "a": 2})
        written.add((tmp_path / "file").read_bytes())
    assert len(written) == 1


def read_or_refuse(path, expected_header):
    """Return whether the file was refused; a file that is read must hold what was written."""
    try:
        arrays, header = read_arrays(path, kind="x")
    except FileFormatError as error:
        assert str(path) in str(error)
        return True
    assert header == expected_header
    assert arrays.keys() == SMALL.keys()
    for name, array in SMALL.items():
        assert digest(arrays[name]) == digest(array)
    return False


def test_flipped_byte_anywhere_is_refused_or_harmless(tmp_path):
    path, header = tmp_path / "file", {"n_bits": 64, "name": "x"}
    write_arrays(path, SMALL, kind="x", header=header)
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        for flip in (1 << place % 8, 0xFF):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            refused += read_or_refuse(path, header)
    assert refused > 0.95 * 2 * len(whole)


def test_truncated_or_lengthened_file_is_refused(tmp_path):
    path = tmp_path / "file"
    write_arrays(path, SMALL, kind="x", header={})
    whole = path.read_bytes()
    for content in [whole[:length] for length in range(len(whole))] + [whole + b"\0"]:
        path.write_bytes(content)
        with pytest.raises(FileFormatError):
            read_arrays(path, kind="x")


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff" * 64, b"not a file of ours, but longer than its header"])
def test_other_content_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"not a readable .* file of Hammingway"):
        read_arrays(tmp_path / "file", kind="x")
    assert read_kind(tmp_path / "file") is None


@pytest.mark.parametrize(("dtype", "size"), [("BF16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1), ("C64", 8)])
def test_number_types_that_are_never_written_are_refused(tmp_path, dtype, size):
    header = json.dumps({"codes": {"dtype": dtype, "shape": [2], "data_offsets": [0, 2 * size]}}).encode()
    (tmp_path / "file").write_bytes(len(header).to_bytes(8, "little") + header + bytes(2 * size))
    with pytest.raises(FileFormatError):
        read_arrays(tmp_path / "file", kind="x")


def test_file_of_another_program_is_refused(tmp_path):
    save_file(SMALL, tmp_path / "file", metadata={"format": "np"})
    with pytest.raises(FileFormatError, match="not written by Hammingway"):
        read_arrays(tmp_path / "file", kind="x")
    assert read_kind(tmp_path / "file") is None


def test_wrong_kind_says_which_came(tmp_path):
    write_arrays(tmp_path / "file", SMALL, kind="hasher", header={})
    with pytest.raises(FileFormatError, match="holds a hasher; a codes was expected"):
        read_arrays(tmp_path / "file", kind="codes")
    assert read_kind(tmp_path / "file") == "hasher"


def test_newer_format_says_upgrade(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "FORMAT_VERSION", storage.FORMAT_VERSION + 1)
    write_arrays(tmp_path / "file", SMALL, kind="x", header={})
    monkeypatch.undo()
    with pytest.raises(FileFormatError, match=r"format version 2; .* reads up to 1\. Upgrade Hammingway"):
        read_arrays(tmp_path / "file", kind="x")


@pytest.mark.parametrize(
    "envelope",
    [[], {}, {"kind": 1, "format_version": 1, "header": {}, "digests": {}}, {"kind": "x", "header": {}, "digests": {}}],
)
def test_incomplete_envelope_is_refused(tmp_path, envelope):
    text = json.dumps(envelope)
    save_file({}, tmp_path / "file", metadata={"hammingway": storage._sealed(text)})
    with pytest.raises(FileFormatError, match="header is incomplete"):
        read_arrays(tmp_path / "file", kind="x")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"kind": ' + "9" * 5000 + "}", "NaN"])
def test_sealed_header_that_is_no_json_of_ours_is_refused(tmp_path, text):
    save_file({}, tmp_path / "file", metadata={"hammingway": storage._sealed(text)})
    with pytest.raises(FileFormatError, match="its header is"):
        read_arrays(tmp_path / "file", kind="x")
    assert read_kind(tmp_path / "file") is None


def test_unprintable_kind_is_refused_printably(tmp_path):
    write_arrays(tmp_path / "file", SMALL, kind="\ud800", header={})
    with pytest.raises(FileFormatError, match="a codes was expected") as refusal:
        read_arrays(tmp_path / "file", kind="codes")
    assert str(refusal.value).isprintable()


def test_array_without_a_digest_is_refused(tmp_path):
    text = json.dumps({"kind": "x", "format_version": 1, "header": {}, "digests": {}})
    save_file(SMALL, tmp_path / "file", metadata={"hammingway": storage._sealed(text)})
    with pytest.raises(FileFormatError, match="array 'codes' does not match"):
        read_arrays(tmp_path / "file", kind="x")


@pytest.mark.parametrize("read", [lambda path: read_arrays(path, kind="x"), read_kind])
@pytest.mark.parametrize("name", ["absent", "."])
def test_absent_file_is_absent(tmp_path, read, name):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [lambda path: read_arrays(path, kind="x"), read_kind])
def test_a_file_that_may_not_be_read_is_not_taken_for_an_absent_or_a_foreign_one(tmp_path, monkeypatch, read):
    write_arrays(tmp_path / "file", SMALL, kind="x", header={})
    # What any opening comes to where the user is not allowed to; whoever runs the tests may be root, who is.
    refusal = PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "file"))
    monkeypatch.setattr(storage.Path, "open", raises(refusal))
    monkeypatch.setattr(storage, "safe_open", raises(FileNotFoundError("No such file or directory: file")))
    with pytest.raises(PermissionError, match="Permission denied"):
        read(tmp_path / "file")


def test_a_file_that_cannot_be_mapped_is_an_error_of_the_system_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"any")
    monkeypatch.setattr(storage, "safe_open", raises(OSError("No such device (os error 19)")))  # its words
    with pytest.raises(OSError, match="No such device") as error:
        read_kind(tmp_path / "file")
    assert (error.value.errno, error.value.filename) == (errno.ENODEV, str(tmp_path / "file"))


def raises(error):
    """Return a function that raises ``error`` whatever it is given."""

    def raising(*args, **kwargs):
        raise error

    return raising


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, b"old"])
def test_interrupted_write_leaves_what_was_there(tmp_path, interruption, before):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(interruption), atomic_writer(path) as file:
        file.write(b"half of the new con")
        raise interruption
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == ([("file", before)] if before else [])


@pytest.mark.parametrize("step", ["save_file", "_flush_to_disk", "_make"])
def test_failure_at_any_step_of_writing_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_arrays(path, SMALL, kind="x", header={"age": "old"})

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(storage, step, fail)
    with pytest.raises(OSError, match="no space left"):
        write_arrays(path, SMALL, kind="x", header={"age": "new"})
    monkeypatch.undo()
    assert read_arrays(path, kind="x")[1] == {"age": "old"}
    assert list(tmp_path.iterdir()) == [path]


def test_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import os, sys\nfrom hammingway.storage import atomic_writer\n"
        "with atomic_writer(sys.argv[1]) as file:\n"
        "    file.write(b'new'); file.flush(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert path.read_bytes() == b"old"


ABANDON = """
import os, sys
from hammingway.storage import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.with_name(".tmp1").write_bytes(b"as of a library that replaces the file it was given")
    temporary.write_bytes(b"half")
    print(flush=True)
    input()
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that writes 'file', and is killed half-way when it gets a line."""
    command = [sys.executable, "-c", ABANDON, tmp_path / "file"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        yield process
        process.kill()


def test_next_write_of_the_file_removes_what_a_killed_process_left(tmp_path, writer):
    writer.communicate(b"\n")
    assert len(list(tmp_path.glob(".file.*.part/*"))) == 2
    (tmp_path / "other").write_bytes(b"")
    with atomic_writer(tmp_path / "other") as file:
        file.write(b"of another file")
    assert len(list(tmp_path.glob(".file.*.part"))) == 1
    with atomic_writer(tmp_path / "file") as file:
        file.write(b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other"]


def test_folder_that_another_process_took_for_abandoned_while_it_was_empty_is_made_again(tmp_path, monkeypatch):
    def removes_it(folder):
        monkeypatch.setattr(storage, "_try_lock", try_lock)
        folder.rmdir()
        return try_lock(folder)

    try_lock = storage._try_lock
    monkeypatch.setattr(storage, "_try_lock", removes_it)
    with atomic_writer(tmp_path / "file") as file:
        file.write(b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_empty_folder_of_a_killed_process_is_removed_too(tmp_path):
    (tmp_path / ".file.0123456789abcdef.part").mkdir()
    with atomic_writer(tmp_path / "file") as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "𝄞" * 63, "n" * 121, "n" * 120])
def test_a_file_may_have_the_longest_name_there_is(tmp_path, name):
    for content in ("old", "new"):
        write_arrays(tmp_path / name, SMALL, kind="x", header={"content": content})
    assert read_arrays(tmp_path / name, kind="x")[1] == {"content": "new"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_names_of_unfinished_files_are_short_and_told_apart_by_the_whole_name(tmp_path):
    unfinished = set()
    for name in ("n" * 254 + "1", "n" * 254 + "2", "short"):
        with atomic_path(tmp_path / name) as temporary:
            assert len(os.fsencode(temporary.parent.name)) <= 143
            unfinished.add(temporary.parent.name.split(".")[1])
    assert len(unfinished) == 3
    assert "short" in unfinished


def test_next_write_of_a_file_of_a_long_name_removes_its_own_leavings_alone(tmp_path):
    one, other = tmp_path / ("n" * 254 + "1"), tmp_path / ("n" * 254 + "2")
    for path in (one, other):
        with atomic_path(path) as temporary:
            left = temporary.parent
        left.mkdir()  # as a process killed just then would leave it
        (left / path.name).touch()
    with atomic_writer(one) as file:
        file.write(b"new")
    assert sorted(tmp_path.iterdir()) == sorted([left, one, other])


def test_what_another_process_or_thread_still_writes_is_left_alone(tmp_path, writer):
    with atomic_path(tmp_path / "file") as own:
        own.write_bytes(b"first")
        with atomic_writer(tmp_path / "file") as file:
            file.write(b"second")
        assert (tmp_path / "file").read_bytes() == b"second"
        assert len(list(tmp_path.glob(".file.*.part/file"))) == 2
    assert (tmp_path / "file").read_bytes() == b"first"
    writer.communicate(b"\n")
    assert len(list(tmp_path.glob(".file.*.part/file"))) == 1


def test_folder_that_only_looks_like_an_abandoned_one_is_left_alone(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "data").touch()
    name = "0123456789abcdef"
    (tmp_path / f".file.{name}.part").symlink_to("precious")
    (tmp_path / f".file.{name}.partly").mkdir()
    (tmp_path / f".file.{name}.partly" / "data").touch()
    (tmp_path / f".other.{name}.part").mkdir()
    (tmp_path / f".other.{name}.part" / "data").touch()
    before = sorted(tmp_path.rglob("*"))
    with atomic_writer(tmp_path / "file") as file:
        file.write(b"new")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "file"])


def test_folder_that_holds_folders_is_no_abandoned_one(tmp_path):
    own = tmp_path / ".file.0123456789abcdef.part"
    (own / "folder").mkdir(parents=True)
    for number in range(9):  # the order in which a disk lists them is its own
        (own / f"data{number}").touch()
    before = sorted(tmp_path.rglob("*"))
    with atomic_writer(tmp_path / "file") as file:
        file.write(b"new")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "file"])


def test_file_is_written_where_what_was_abandoned_cannot_be_listed(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(os, "scandir", raises(PermissionError(errno.EACCES, "Permission denied")))
    with atomic_writer(tmp_path / "file") as file:
        file.write(b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_folder_of_files_alone_is_not_listed_at_each_write(tmp_path, monkeypatch):
    if tmp_path.stat().st_nlink != 2:
        pytest.skip("this disk does not count the folders in a folder")
    monkeypatch.setattr(os, "scandir", raises(AssertionError("it was listed")))
    with atomic_writer(tmp_path / "one") as file:
        file.write(b"new")
    (tmp_path / "folder").mkdir()
    with pytest.raises(AssertionError, match="it was listed"), atomic_writer(tmp_path / "two"):
        pass


def test_files_are_written_where_folders_cannot_be_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(storage.fcntl, "flock", raises(OSError(errno.EBADF, "no locks here")))
    write_arrays(tmp_path / "file", SMALL, kind="x", header={})
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_file_of_arrays_gets_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_arrays(tmp_path / "file", {"a": np.arange(3)}, kind="x", header={})
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_file_gets_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_bytes(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_digest_depends_on_dtype_shape_and_content():
    variants = [np.zeros(4, np.uint8), np.zeros(2, np.uint16), np.zeros((2, 2), np.uint8), np.ones(4, np.uint8)]
    assert len({digest(array) for array in variants}) == len(variants)
    table = np.arange(12).reshape(3, 4)
    assert digest(table.T) == digest(np.ascontiguousarray(table.T))


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "absent" / "file"):
        pass
    assert caught.value.filename == str(tmp_path / "absent" / "file")


def test_an_interruption_while_the_file_is_made_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(descriptor):
        close(descriptor)
        raise KeyboardInterrupt

    close = os.close
    monkeypatch.setattr(os, "close", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "file"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "one").write_bytes(b"old")
    (tmp_path / "current").symlink_to("versions/one")
    (tmp_path / "next").symlink_to("versions/two")
    for link, target in (("current", "one"), ("next", "two")):
        with atomic_writer(tmp_path / link) as file:
            file.write(b"new")
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / "versions" / target).read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["current", "next", "one", "two", "versions"]


@pytest.mark.parametrize("name", ["folder", "folder/", ""])
def test_a_directory_is_refused_before_anything_is_written(tmp_path, monkeypatch, name):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError) as caught, atomic_path(name):
        pytest.fail("the body ran")
    assert caught.value.filename == name
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInputError, match="device or a pipe"), atomic_path(tmp_path / "pipe"):
        pytest.fail("the body ran")
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_a_damaged_file_still_looks_sealed_and_a_foreign_one_does_not(tmp_path):
    write_arrays(tmp_path / "file", {"a": np.arange(9)}, kind="x", header={})
    whole = (tmp_path / "file").read_bytes()
    for content in (whole, whole[:-1], whole[:60], whole[:23]):
        (tmp_path / "file").write_bytes(content)
        assert looks_sealed(tmp_path / "file")
    for content in (b"", whole[:22], b"\x93NUMPY" + whole, whole[8:], b'{"a": 1}' * 9):
        (tmp_path / "file").write_bytes(content)
        assert not looks_sealed(tmp_path / "file")
