"""Neighbors, Scored and Ranges refuse arrays that do not belong together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.errors import ShapeError
from hammingway.results import Neighbors, Ranges, Scored


@pytest.mark.parametrize(
    ("ids", "distances"), [((2, 3), (2, 2)), ((2, 3), (3, 3)), ((3,), (3,)), ((1, 2, 3), (1, 2, 3)), ((0, 3), (0, 2))]
)
def test_neighbors_need_two_equal_shapes(ids, distances):
    with pytest.raises(ShapeError, match=r"\(n_queries, k\)"):
        Neighbors(np.zeros(ids, np.int64), np.zeros(distances, np.int32))


def test_neighbors_iterate_query_by_query():
    found = Neighbors(np.array([[3, 8], [1, -1]]), np.array([[0, 2], [5, 9]], np.int32))
    assert len(found) == 2
    assert [(ids.tolist(), distances.tolist()) for ids, distances in found] == [([3, 8], [0, 2]), ([1, -1], [5, 9])]


@given(counts=st.lists(st.integers(0, 5), max_size=8))
def test_ranges_give_each_query_its_own(counts):
    n = sum(counts)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ranges = Ranges(np.arange(n), np.arange(n, dtype=np.int32) * 2, offsets)
    assert len(ranges) == len(counts)
    assert_array_equal(ranges.counts, counts)
    assert [len(ids) for ids, _ in ranges] == counts
    assert [number for ids, _ in ranges for number in ids] == list(range(n))
    assert all(np.array_equal(distances, ids * 2) for ids, distances in ranges)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([0, 2], "run from 0 to the 3 results"),
        ([1, 3], "run from 0"),
        ([0, 4], "run from 0"),
        ([], "run from 0"),
        ([[0, 3]], "run from 0"),
        ([0, 2, 1, 3], "never decrease"),
    ],
)
def test_offsets_must_partition_the_results(offsets, message):
    with pytest.raises(ShapeError, match=message):
        Ranges(np.arange(3), np.zeros(3, np.int32), np.array(offsets, np.int64))


@pytest.mark.parametrize(("n_ids", "n_distances"), [((3,), (2,)), ((3, 1), (3, 1))])
def test_ranges_need_one_distance_an_id(n_ids, n_distances):
    with pytest.raises(ShapeError, match=r"\(n_found,\)"):
        Ranges(np.zeros(n_ids, np.int64), np.zeros(n_distances, np.int32), np.array([0, 3]))


@pytest.mark.parametrize(("ids", "scores"), [((2, 3), (2, 2)), ((3,), (3,)), ((0, 3), (0, 2))])
def test_scored_needs_two_equal_shapes(ids, scores):
    with pytest.raises(ShapeError, match=r"\(n_queries, k\)"):
        Scored(np.zeros(ids, np.int64), np.zeros(scores))


def test_scored_iterates_over_the_queries():
    found = Scored(np.arange(6).reshape(2, 3), -np.arange(6.0).reshape(2, 3))
    assert len(found) == 2
    assert [(ids.tolist(), scores.tolist()) for ids, scores in found] == [
        ([0, 1, 2], [0, -1, -2]),
        ([3, 4, 5], [-3, -4, -5]),
    ]
