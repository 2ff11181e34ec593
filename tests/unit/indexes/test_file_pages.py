"""Which pages of a mapped file hold which rows."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.indexes.file_pages import FilePages
from hammingway.indexes.originals import Originals

PAGE = mmap.PAGESIZE


@pytest.fixture
def mapped(tmp_path):
    """Return a map whose rows of 3/4 page start 128 bytes into the file."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.integers(0, 256, size=(400, 3 * PAGE // 4), dtype=np.uint8))
    return np.load(tmp_path / "a.npy", mmap_mode="r")


def pages_of(start, row, row_bytes, stride):
    first = start + row * stride
    return set(range(first // PAGE, (first + row_bytes - 1) // PAGE + 1))


@pytest.mark.parametrize(("start", "step"), [(0, 1), (5, 1), (0, 3), (7, 2)])
def test_runs_cover_exactly_the_pages_of_the_rows(mapped, start, step):
    view, row_bytes = np.asarray(mapped)[start::step], mapped.shape[1]
    for rows in (np.array([0]), np.array([9, 2, 2, 3, 60]), np.arange(50), np.arange(0, 100, 33)):
        runs = FilePages(view).runs(rows)
        covered = [page for first, length in runs for page in range(first // PAGE, (first + length) // PAGE)]
        wanted = set().union(*(pages_of(128 + start * row_bytes, row, row_bytes, row_bytes * step) for row in rows))
        assert covered == sorted(wanted)
        assert all(first % PAGE == length % PAGE == 0 for first, length in runs)


@pytest.mark.parametrize("change", [np.array, np.asfortranarray, lambda a: a[:, ::2], lambda a: a[::-1], lambda a: a.T])
def test_nothing_is_advised_without_whole_mapped_rows(mapped, change):
    assert FilePages(change(mapped)).runs(np.arange(5)) == []


def test_advice_reaches_the_mapping_and_changes_nothing(mapped):
    rows = np.array([399, 0, 17])
    assert len(FilePages(mapped).runs(rows)) == 3
    FilePages(mapped).fetch(rows)
    assert_array_equal(Originals(mapped).read(rows), mapped[rows])


def test_no_rows_need_no_pages(mapped):
    assert FilePages(mapped).runs(np.empty(0, np.int64)) == []
    assert FilePages(mapped[:0]).runs(np.empty(0, np.int64)) == []


class Refusing:
    """A mapping whose system takes no hints."""

    def madvise(self, *arguments):
        raise OSError("not a file")


def test_a_refused_hint_changes_nothing(mapped):
    originals = Originals(mapped)
    originals._pages._mapping = Refusing()
    assert_array_equal(originals.read(np.array([3])), mapped[[3]])


def test_system_without_hints_is_never_asked(mapped, monkeypatch):
    monkeypatch.delattr(mmap, "MADV_WILLNEED")
    assert FilePages(mapped).runs(np.arange(5)) == []
    assert_array_equal(Originals(mapped).read(np.array([3])), mapped[[3]])


def test_memory_shared_without_a_file_is_read_alike():
    shared = mmap.mmap(-1, 4 * PAGE)
    vectors = np.frombuffer(shared, np.int8).reshape(-1, PAGE)
    assert FilePages(vectors).runs(np.array([2])) == [(2 * PAGE, PAGE)]
    assert_array_equal(Originals(vectors).read(np.array([2])), np.zeros((1, PAGE)))
