"""Files of codes come back as they were written, or are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.code_files import read_codes, write_codes
from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError
from hammingway.storage import write_arrays


@settings(max_examples=40)  # each is flushed to disk
@given(n=st.integers(0, 20), n_bits=st.integers(1, 130), own_ids=st.booleans(), encoder=st.none() | st.text())
def test_codes_come_back_as_written(tmp_path_factory, n, n_bits, own_ids, encoder):
    path = tmp_path_factory.mktemp("codes") / "codes"
    codes = Codes.from_bits(np.random.default_rng(n_bits).integers(0, 2, (n, n_bits)))
    ids = np.arange(n)[::-1] * 7 if own_ids else None
    write_codes(path, codes, encoder=encoder, ids=ids)
    stored = read_codes(path)
    assert (stored.codes.n_bits, stored.encoder) == (n_bits, encoder)
    assert_array_equal(stored.codes.packed, codes.packed)
    if own_ids:
        assert_array_equal(stored.ids, ids)
        assert stored.ids.dtype == np.int64
    else:
        assert stored.ids is None


CODES = Codes.from_bits(np.ones((2, 9), bool))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ids": [1]}, ShapeError, "2 codes need 2 ids; got 1"),
        ({"ids": [1, 1]}, InvalidInputError, "id 1 given more than once"),
        ({"ids": [1, -1]}, InvalidInputError, "got -1"),
        ({"encoder": 7}, InvalidInputError, "fingerprint"),
    ],
)
def test_unusable_input_writes_no_file(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        write_codes(tmp_path / "codes", CODES, **options)
    assert list(tmp_path.iterdir()) == []


def test_arrays_are_no_codes(tmp_path):
    with pytest.raises(InvalidInputError, match=r"must be hammingway\.Codes; got ndarray"):
        write_codes(tmp_path / "codes", np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize(
    ("arrays", "header"),
    [
        ({}, {"n_bits": 9, "encoder": None}),
        ({"packed": CODES.packed}, {"n_bits": 8, "encoder": None}),
        ({"packed": CODES.packed}, {"n_bits": 17, "encoder": None}),
        ({"packed": CODES.packed}, {"n_bits": "9", "encoder": None}),
        ({"packed": CODES.packed}, {"n_bits": True, "encoder": None}),
        ({"packed": CODES.packed}, {"encoder": None}),
        ({"packed": CODES.packed}, {"n_bits": 9, "encoder": 3}),
        ({"packed": CODES.packed.astype(np.int64)}, {"n_bits": 9, "encoder": None}),
        ({"packed": CODES.packed | 2}, {"n_bits": 9, "encoder": None}),
        ({"packed": CODES.packed, "ids": np.array([1])}, {"n_bits": 9, "encoder": None}),
        ({"packed": CODES.packed, "ids": np.array([1, 1])}, {"n_bits": 9, "encoder": None}),
        ({"packed": CODES.packed, "ids": np.array([1, -1])}, {"n_bits": 9, "encoder": None}),
        ({"packed": CODES.packed, "ids": np.array([1.0, 2.0])}, {"n_bits": 9, "encoder": None}),
    ],
)
def test_contradicting_parts_are_refused(tmp_path, arrays, header):
    write_arrays(tmp_path / "codes", arrays, kind="codes", header=header)
    with pytest.raises(FileFormatError, match="not a sound file of codes"):
        read_codes(tmp_path / "codes")


def test_another_kind_of_file_is_refused(tmp_path):
    write_arrays(tmp_path / "index", {}, kind="flat-index", header={})
    with pytest.raises(FileFormatError, match="holds a flat-index; a codes was expected"):
        read_codes(tmp_path / "index")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_codes(tmp_path / "absent")
