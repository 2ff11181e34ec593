import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.errors import InvalidInputError, NotNumericError, ShapeError
from hammingway.hashers.rows import TrainingRows, Work, check_matrix, float_rows


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "u1", "u8", "?", ">f4", "<f8"])
def test_numeric_array_is_passed_on_uncopied(dtype):
    X = np.ones((3, 2), dtype=dtype)
    assert np.shares_memory(check_matrix(X), X)


def test_lists_and_objects_of_numbers_are_accepted():
    assert_array_equal(check_matrix([[1, 2.5], [3, 4]]), [[1, 2.5], [3, 4]])
    assert check_matrix(np.array([[1, 2.5]], dtype=object)).dtype == np.float64


@pytest.mark.parametrize(
    ("X", "error", "said"),
    [
        ([1.0, 2.0], ShapeError, r"shape \(2,\).*reshape\(1, -1\)"),
        (3.0, ShapeError, "two-dimensional"),
        (np.ones((2, 2, 2)), ShapeError, r"\(2, 2, 2\)"),
        (np.ones((2, 0)), ShapeError, "minimum of 1"),
        ([[1.0], [1.0, 2.0]], ShapeError, "differ in length"),
        (np.ones((2, 2), dtype=complex), InvalidInputError, "X.real"),
        ([["1", "2"]], NotNumericError, "dtype <U1"),
        (np.array([["1", 2]], dtype=object), NotNumericError, "type str"),
        (np.array([[None, 2]], dtype=object), NotNumericError, "type NoneType"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), NotNumericError, "datetime64"),
        (np.ma.masked_array([[1.0]], mask=[[True]]), InvalidInputError, "masked"),
    ],
)
def test_unusable_input_is_refused_in_one_sentence(X, error, said):
    with pytest.raises(error, match=said) as caught:
        check_matrix(X)
    assert "\n" not in str(caught.value)


def test_sparse_matrix_is_refused_with_the_remedy():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InvalidInputError, match="toarray"):
        check_matrix(sparse.eye_array(3))


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity"), (2e30, r"2e\+30")]
)
def test_bad_value_is_named_with_row_and_column(value, said):
    X = np.zeros((9, 4))
    X[7, 3] = value
    with pytest.raises(InvalidInputError, match=f"{said}.* row 7, column 3"):
        float_rows(X, slice(5, 9))
    with pytest.raises(InvalidInputError, match=f"{said}.* row 7, column 3"):
        float_rows(X, np.array([1, 7]))


def test_many_values_near_the_limit_are_accepted():
    X = np.full((100, 100), 9e29)  # their squares sum beyond the quick check
    assert_array_equal(float_rows(X, slice(0, 100)), X)


def test_rows_are_fresh_contiguous_float64():
    X = np.arange(12.0).reshape(3, 4).T
    block = float_rows(X, slice(1, 3))
    assert block.flags.c_contiguous and block.dtype == np.float64
    assert not np.shares_memory(block, X)


@pytest.mark.parametrize("n", [1, 1023, 1024, 1025, 2500])
def test_training_blocks_cover_the_sample_in_order(n):
    X = np.arange(3000.0)[:, None]
    calls = []
    work = Work(lambda done, total: calls.append((done, total)))
    work.plan(n)
    indices = np.arange(n, dtype=np.int64) + 100
    rows = TrainingRows(X, indices, work)
    assert_array_equal(np.vstack(list(rows.blocks())), X[indices])
    assert calls[-1] == (n, n)
