"""Examples come out as the rows went in, whatever the array, and bad values are named by their row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from hammingway.deep import batches
from hammingway.deep.batches import Rows
from hammingway.errors import InvalidInputError

X = np.arange(60, dtype=np.float64).reshape(10, 6)


def layouts(tmp_path):
    np.save(tmp_path / "X.npy", X)
    frozen = X.copy()
    frozen.flags.writeable = False
    return [X, X.astype(np.float16), X.astype(np.uint8), np.asfortranarray(X), frozen, np.load(tmp_path / "X.npy", "r")]


@pytest.mark.parametrize("held", [False, True])
def test_rows_are_those_of_the_array(tmp_path, held):
    for array in layouts(tmp_path):
        rows = Rows(array, np.array([7, 2, 5]))
        if held:
            rows.read_once()
        assert len(rows) == 3 and rows.input_shape == (6,)
        assert rows[:].dtype == torch.float32
        assert_array_equal(rows[:], X[[7, 2, 5]])
        assert_array_equal(rows[torch.tensor([2, 0, 0])], X[[5, 7, 7]])
        assert_array_equal(rows[1:2], X[[2]])
        assert_array_equal(rows[np.array([1])], X[[2]])


def test_images_become_channels_rows_columns():
    rows = Rows(X, image_shape=(1, 2, 3))
    assert rows.input_shape == (3, 1, 2)
    assert_array_equal(rows[:], X.reshape(10, 1, 2, 3).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("limit", [0, 2**31])
def test_bad_value_is_named_by_its_row_of_the_whole_array(monkeypatch, limit):
    monkeypatch.setattr(batches, "_HELD_BYTES", limit)
    bad = X.copy()
    bad[7, 3] = np.nan
    with pytest.raises(InvalidInputError, match="NaN in row 7, column 3"):
        Rows(bad, np.array([2, 7])).read_once()
    Rows(bad, np.array([2, 5])).read_once()


def test_rows_beyond_the_limit_are_not_kept(monkeypatch):
    monkeypatch.setattr(batches, "_HELD_BYTES", 10 * 6 * 4)
    small, large = Rows(X), Rows(np.vstack([X, X]))
    small.read_once()
    large.read_once()
    assert small._held is not None
    assert large._held is None


def test_pixels_are_kept_as_bytes(monkeypatch):
    monkeypatch.setattr(batches, "_HELD_BYTES", 10 * 6)
    pixels = np.arange(60, dtype=np.uint8).reshape(10, 6) * 4
    rows = Rows(pixels, image_shape=(1, 2, 3))
    rows.read_once()
    assert rows._held is not None and rows._held.dtype == torch.uint8
    assert rows[:].dtype == torch.float32
    assert_array_equal(rows[torch.tensor([9, 0])], pixels[[9, 0]].reshape(2, 1, 2, 3).transpose(0, 3, 1, 2))
