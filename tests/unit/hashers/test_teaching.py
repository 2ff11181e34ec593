import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.hashers.teaching import NeighborTeacher


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(420, 6)).astype(np.float32)


def teacher_of(x, **options):
    settings = {"temperature": 0.2, "equal": 0.5, "breadth": 0.0, **options}
    bonus = np.square(x).sum(axis=1) / np.float32(-2)
    return NeighborTeacher(x, np.random.RandomState(0), bonus=bonus, **settings)


def rows_of(found, x):
    """Return which rows of x these are."""
    return (found[:, None] == x).all(axis=2).argmax(axis=1)


def neighbors_of(row, teacher, k):
    """Return the k taught rows nearest to a row, in float64."""
    others = teacher.taught[teacher.taught != row]
    distances = np.square(teacher.x[others].astype(np.float64) - teacher.x[row]).sum(axis=1)
    return set(others[np.argsort(distances)[:k]])


def test_held_out_rows_are_never_drawn(x):
    teacher, rng = teacher_of(x), np.random.RandomState(1)
    draw = teacher.draw(rng)
    drawn = set(rows_of(draw.candidates, x)) | set(rows_of(draw.anchors, x))
    assert len(teacher.held_out) == 42
    assert not drawn & set(teacher.held_out)


def test_targets_are_on_the_true_neighbours_alone_and_sum_to_one(x):
    teacher = teacher_of(x)
    draw = teacher.draw(np.random.RandomState(1))
    anchors, candidates = rows_of(draw.anchors, x), rows_of(draw.candidates, x)
    assert len(np.unique(candidates)) == len(candidates)
    assert_allclose(draw.targets.sum(axis=1), 1, rtol=1e-5)
    for anchor, targets in zip(anchors, draw.targets, strict=True):
        assert set(candidates[targets > 0]) <= neighbors_of(anchor, teacher, 7)  # a fiftieth of the taught rows


def test_nearer_neighbours_have_the_greater_targets(x):
    teacher = teacher_of(x, equal=0.0)
    draw = teacher.draw(np.random.RandomState(1))
    for anchor, targets in zip(draw.anchors, draw.targets, strict=True):
        distances = np.square(draw.candidates[targets > 0] - anchor).sum(axis=1)
        assert_array_equal(np.argsort(distances), np.argsort(-targets[targets > 0]))


def test_without_breadth_there_is_no_second_part(x):
    assert teacher_of(x).draw(np.random.RandomState(1)).broad is None


def test_targets_of_the_second_part_are_the_neighbours_that_two_rows_share(x):
    teacher = teacher_of(x, breadth=2.0)
    draw = teacher.draw(np.random.RandomState(1))
    anchors, candidates = rows_of(draw.anchors, x), rows_of(draw.candidates[draw.broad.places], x)
    known = {row: neighbors_of(row, teacher, 7) | {row} for row in teacher.taught}
    shared = np.array([[len(known[a] & known[c]) if a != c else 0 for c in candidates] for a in anchors])
    totals = np.maximum(shared.sum(axis=1, keepdims=True), 1)
    assert shared.max() > 2
    assert_allclose(draw.broad.targets, shared / totals, atol=1e-6)
    assert_array_equal(anchors[draw.broad.own[0]], candidates[draw.broad.own[1]])
    assert draw.broad.weight == 2


def test_the_first_draws_are_the_same_with_and_without_breadth(x):
    draws = [teacher_of(x, breadth=breadth).draw(np.random.RandomState(1)) for breadth in (0.0, 1.0)]
    assert_array_equal(draws[0].candidates, draws[1].candidates)
    assert_array_equal(draws[0].targets, draws[1].targets)
