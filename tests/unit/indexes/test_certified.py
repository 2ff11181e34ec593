"""Certificates hold one number a query, and results carry them along."""

from __future__ import annotations

import numpy as np
import pytest

from hammingway.errors import ShapeError
from hammingway.indexes import Certificate, CertifiedNeighbors, CertifiedRanges
from hammingway.results import Neighbors, Ranges


def certificate(n=2, **changed):
    fields = {
        "exact": np.ones(n, np.bool_),
        "radius": np.zeros(n, np.int32),
        "by_scan": np.zeros(n, np.bool_),
        "probes": np.zeros(n, np.int64),
        "candidates": np.zeros(n, np.int64),
    }
    return Certificate(**(fields | changed))


@pytest.mark.parametrize("field", ["radius", "by_scan", "probes", "candidates"])
def test_fields_of_other_lengths_are_refused(field):
    with pytest.raises(ShapeError, match="one number a query"):
        certificate(**{field: np.zeros(3, np.int64)})


def test_fields_of_two_dimensions_are_refused():
    with pytest.raises(ShapeError, match="one number a query"):
        certificate(exact=np.ones((2, 1), np.bool_))


def test_certified_results_are_results():
    near = CertifiedNeighbors(np.array([[1], [2]]), np.array([[0], [3]], np.int32), certificate())
    assert isinstance(near, Neighbors)
    assert len(near) == len(near.certificate) == 2
    some = CertifiedRanges(np.array([4]), np.array([1], np.int32), np.array([0, 1, 1]), certificate())
    assert isinstance(some, Ranges)
    assert [len(ids) for ids, _ in some] == [1, 0]
