"""A folder is one process's at a time, and free again however that process ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hammingway.errors import FolderInUseError, InvalidInputError
from hammingway.sole_use import sole_use


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "out" / ".lock"


def test_folder_in_use_is_refused_until_its_user_is_done(lock):
    said = f"^{lock.parent} is in use by another training; wait until it ends, or give another folder\\.$"
    with sole_use(lock, work="training"), pytest.raises(FolderInUseError, match=said), sole_use(lock, work="training"):
        pytest.fail("two are in")
    with sole_use(lock, work="training"):
        pass


def test_another_process_is_kept_out_too_and_a_killed_one_leaves_the_folder_free(lock):
    hold = (
        "import pathlib\n"
        "from hammingway.sole_use import sole_use\n"
        f"with sole_use(pathlib.Path({str(lock)!r}), work='training'): print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        with pytest.raises(FolderInUseError), sole_use(lock, work="training"):
            pytest.fail("two are in")
        process.kill()
        process.wait()
    with sole_use(lock, work="training"):
        pass


def test_nothing_is_left_of_a_use_that_left_nothing(lock, tmp_path):
    with pytest.raises(KeyboardInterrupt), sole_use(lock, work="training"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_stays(lock):
    with sole_use(lock, work="training"):
        (lock.parent / "log").touch()
    assert list(lock.parent.iterdir()) == [lock.parent / "log"]


def test_folder_may_be_removed_while_it_is_used(lock):
    with sole_use(lock, work="training"):
        shutil.rmtree(lock.parent)
    assert not lock.parent.exists()


def test_folder_that_its_last_user_removes_just_then_is_in_use(lock, monkeypatch):
    def removes_it(path, *mode):
        path.parent.rmdir()
        return open_path(path, *mode)

    open_path = Path.open
    monkeypatch.setattr(Path, "open", removes_it)
    with pytest.raises(FolderInUseError), sole_use(lock, work="training"):
        pytest.fail("the folder is not there")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_in_a_sentence_and_stays(lock, make):
    lock.parent.mkdir()
    make(lock)
    said = f"^{lock} is a folder, a device or a pipe, not a file to lock; give another folder\\.$"
    with pytest.raises(InvalidInputError, match=said), sole_use(lock, work="training"):
        pytest.fail("it was used")
    assert list(lock.parent.iterdir()) == [lock]


def test_link_to_a_file_that_is_not_there_stays_as_it_was(lock, tmp_path):
    lock.parent.mkdir()
    lock.symlink_to(tmp_path / "elsewhere")
    with sole_use(lock, work="training"):
        assert (tmp_path / "elsewhere").exists()
    assert lock.is_symlink()
    assert not lock.exists()


def test_link_into_a_folder_that_is_not_there_is_not_said_to_be_in_use(lock, tmp_path):
    lock.parent.mkdir()
    lock.symlink_to(tmp_path / "absent" / "file")
    with pytest.raises(FileNotFoundError), sole_use(lock, work="training"):
        pytest.fail("there is no file")
    assert list(tmp_path.iterdir()) == [lock.parent]
