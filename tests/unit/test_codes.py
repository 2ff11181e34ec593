"""Codes: one bit order inside, every other convention converted without loss."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.codes import MAX_BITS, Codes, check_n_bits
from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError


@st.composite
def bit_tables(draw):
    n, n_bits = draw(st.integers(0, 9)), draw(st.integers(1, 130))
    return np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, 2, (n, n_bits), dtype=np.uint8)


@given(bits=bit_tables())
def test_every_conversion_and_back_is_the_same(bits):
    n_bits, codes = bits.shape[1], Codes.from_bits(bits)
    assert codes.packed.shape == (len(bits), -(-n_bits // 8))
    assert_array_equal(codes.unpack(), bits.astype(bool))
    for again in (
        Codes(codes.packed, n_bits),
        Codes.from_bits(codes.unpack()),
        Codes.from_scores(codes.to_signs()),
        Codes.from_scores(bits - 0.5),
        Codes.from_ubinary(codes.to_ubinary(), n_bits),
        Codes.from_binary(codes.to_binary(), n_bits),
        Codes.concatenate([codes[: len(codes) // 2], codes[len(codes) // 2 :]]),
        pickle.loads(pickle.dumps(codes)),  # noqa: S301
    ):
        assert again.n_bits == n_bits
        assert_array_equal(again.packed, codes.packed)


@given(bits=bit_tables())
def test_bit_j_is_bit_j_mod_8_of_byte_j_div_8(bits):
    packed = Codes.from_bits(bits).packed
    for j in range(bits.shape[1]):
        assert_array_equal(packed[:, j // 8] >> (j % 8) & 1, bits[:, j])


@given(bits=bit_tables())
def test_other_conventions_are_what_their_owners_compute(bits):
    codes = Codes.from_bits(bits)
    assert_array_equal(codes.to_ubinary(), np.packbits(bits, axis=1))
    assert_array_equal(codes.to_binary().astype(np.int16) + 128, np.packbits(bits, axis=1))
    assert_array_equal(codes.to_signs(), 2 * bits.astype(int) - 1)
    assert codes.to_binary().dtype == codes.to_signs().dtype == np.int8


def test_zero_and_negative_zero_scores_give_0():
    assert_array_equal(Codes.from_scores([[0.0, -0.0, 1e-30, -np.inf, np.inf]]).unpack(), [[0, 0, 1, 0, 1]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_scores_are_refused(dtype):
    scores = np.zeros((3, 9), dtype)
    scores[2, 8] = np.nan
    with pytest.raises(InvalidInputError, match="NaN, which has no sign"):
        Codes.from_scores(scores)


@pytest.mark.parametrize("scores", [np.zeros((2, 3), complex), np.array([["a", "b"]])])
def test_scores_that_are_no_real_numbers_are_refused(scores):
    with pytest.raises(InvalidInputError, match="real numbers"):
        Codes.from_scores(scores)


@pytest.mark.parametrize("n_bits", [0, -1, MAX_BITS + 1, 8.0, "8", None, True])
def test_unusable_n_bits_is_refused(n_bits):
    with pytest.raises(InvalidInputError, match=r"n_bits must be a whole number from 1 to 4096; got"):
        check_n_bits(n_bits)


def test_numpy_integers_become_int():
    assert type(check_n_bits(np.uint16(12))) is int
    assert type(Codes(np.zeros((0, 2), np.uint8), np.int64(12)).n_bits) is int


@pytest.mark.parametrize("n_bits", [1, 7, 9, 63, 65, 130])
def test_each_pad_bit_must_be_zero(n_bits):
    for pad in range(n_bits % 8, 8):
        packed = np.zeros((3, -(-n_bits // 8)), np.uint8)
        packed[1, -1] = 1 << pad
        with pytest.raises(InvalidInputError, match="pad bits must be 0"):
            Codes(packed, n_bits)
        with pytest.raises(InvalidInputError, match="pad bits must be 0"):
            Codes.from_ubinary(np.packbits(np.unpackbits(packed, axis=1, bitorder="little"), axis=1), n_bits)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Codes(np.zeros((2, 2), np.int8), 16), InvalidInputError, "uint8; got int8"),
        (lambda: Codes(np.zeros((2, 2), np.uint8), 17), ShapeError, r"shape \(n, 3\); got \(2, 2\)"),
        (lambda: Codes(np.zeros(2, np.uint8), 16), ShapeError, r"got \(2,\)"),
        (lambda: Codes.from_bits([[0, 2]]), InvalidInputError, "0 or 1"),
        (lambda: Codes.from_bits([[0.0, np.nan]]), InvalidInputError, "0 or 1"),
        (lambda: Codes.from_bits([0, 1]), ShapeError, r"\(n, n_bits\); got \(2,\)"),
        (lambda: Codes.from_bits(np.zeros((3, 0), bool)), InvalidInputError, "n_bits"),
        (lambda: Codes.from_scores([1.0]), ShapeError, r"\(n, n_bits\); got \(1,\)"),
        (lambda: Codes.from_ubinary(np.zeros((2, 2), np.int16)), ShapeError, "uint8 array"),
        (lambda: Codes.from_ubinary(np.zeros((2, 2), np.int8)), InvalidInputError, "use from_binary"),
        (lambda: Codes.from_ubinary(np.zeros((2, 2), np.uint8), 8), ShapeError, "need 1 bytes a row; got 2"),
        (lambda: Codes.from_binary(np.zeros((2, 2), np.uint8)), InvalidInputError, "int8; got uint8"),
        (lambda: Codes.concatenate([]), InvalidInputError, "at least one"),
    ],
)
def test_unusable_input_says_what_was_expected(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_widths_cannot_be_mixed():
    with pytest.raises(CodeWidthError, match=r"widths \[8, 9\]"):
        Codes.concatenate([Codes(np.zeros((1, 2), np.uint8), 9), Codes(np.zeros((1, 1), np.uint8), 8)])


def test_rows_are_selected_by_slice_list_and_mask():
    codes = Codes.from_bits(np.eye(5, 9, dtype=bool))
    mask = np.array([False, True, False, False, True])
    for rows in (slice(1, 5, 3), [1, 4], mask, np.array([1, -1])):
        assert_array_equal(codes[rows].unpack(), np.eye(5, 9)[[1, 4]])
    assert codes[::2].packed.flags.c_contiguous


@pytest.mark.parametrize("row", [0, -1, np.int64(3)])
def test_one_row_by_integer_is_refused_with_a_remedy_that_works(row):
    codes = Codes.from_bits(np.eye(5, 9, dtype=bool))
    with pytest.raises(InvalidInputError, match=rf"use codes\[\[{row}\]\]"):
        codes[row]
    assert len(codes[[row]]) == 1


def test_strided_and_read_only_input_is_kept_unchanged():
    wide = np.random.default_rng(0).integers(0, 256, (8, 6), dtype=np.uint8)
    strided = wide[::2, ::3]
    strided.flags.writeable = False
    codes = Codes(strided, 16)
    assert codes.packed.flags.c_contiguous
    assert_array_equal(codes.packed, wide[::2, ::3])


def test_codes_cannot_be_reassigned():
    with pytest.raises(AttributeError):
        Codes.from_bits([[1]]).n_bits = 2
    assert Codes.from_bits(np.ones((3, 9), bool)).size_bytes == 6
