"""One check of ids for every place that takes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.ids import MAX_ID, check_code_ids, check_ids, distinct, name_some


@given(ids=st.lists(st.integers(0, MAX_ID)))
def test_usable_ids_become_int64(ids):
    checked = check_ids(ids)
    assert checked.dtype == np.int64
    assert checked.tolist() == ids


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, ">i8"])
def test_every_integer_type_is_taken(dtype):
    assert_array_equal(check_ids(np.array([3, 1, 2], dtype)), [3, 1, 2])


@pytest.mark.parametrize("ids", [[-1], [2**63], [1.0], [True], ["1"], [None], [1, 2**70]])
def test_other_values_are_refused(ids):
    with pytest.raises(InvalidInputError, match=r"ids must (be integers|lie from 0)"):
        check_ids(ids)


@pytest.mark.parametrize("ids", [3, [[1], [2]]])
def test_other_shapes_are_refused(ids):
    with pytest.raises(ShapeError, match=r"\(n,\)"):
        check_ids(ids)


@given(ids=st.lists(st.integers(0, 9), max_size=8))
def test_repeated_ids_are_refused_and_named(ids):
    repeated = sorted({number for number in ids if ids.count(number) > 1})
    if not repeated:
        assert check_code_ids(ids, len(ids)).tolist() == ids
        return
    with pytest.raises(InvalidInputError, match=f"distinct; {name_some(np.array(repeated))} given more than once"):
        check_code_ids(ids, len(ids))


def test_one_id_a_code():
    with pytest.raises(ShapeError, match="3 codes need 3 ids; got 2"):
        check_code_ids([1, 2], 3)


@given(ids=st.lists(st.integers(0, 9)))
def test_distinct_ids_come_once_and_ascending(ids):
    assert distinct(np.array(ids, np.int64)).tolist() == sorted(set(ids))
