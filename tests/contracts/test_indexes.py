"""Every registered exact index keeps the contract, and the contract notices what is broken."""

from __future__ import annotations

import numpy as np
import pytest

from hammingway import registry
from hammingway.errors import InvalidInputError
from hammingway.indexes import FlatIndex
from hammingway.results import Neighbors, Ranges
from hammingway.testing.indexes import CHECKS, WIDTHS, check_index

EXACT = [name for name in registry.names("indexes") if registry.load("indexes", name).exact]


def test_flat_is_registered_and_exact():
    assert registry.load("indexes", "flat") is FlatIndex
    assert "flat" in EXACT


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("n_bits", WIDTHS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_registered_exact_index_keeps_contract(name, n_bits, check):
    check(registry.load("indexes", name), n_bits, np.random.default_rng([1, n_bits]))


class UnstableTies(FlatIndex):
    def search(self, queries, k):
        found = super().search(queries, k)
        same = found.distances[:, :-1] == found.distances[:, 1:]
        ids = found.ids.copy()
        for row, column in np.argwhere(same):
            ids[row, [column, column + 1]] = ids[row, [column + 1, column]]
        return Neighbors(ids, found.distances)


class ExclusiveRadius(FlatIndex):
    def search_radius(self, queries, radius):
        if radius == 0:
            empty = np.zeros(len(queries) + 1, np.int64)
            return Ranges(np.empty(0, np.int64), np.empty(0, np.int32), empty)
        return super().search_radius(queries, radius - 1)


class ForgetfulRemoval(FlatIndex):
    def remove(self, ids):
        return len(list(ids))


class HalfDoneAdd(FlatIndex):
    def add(self, codes, ids=None):
        try:
            return super().add(codes, ids)
        except InvalidInputError:
            if codes.n_bits == self.n_bits and len(codes):
                super().add(codes[:1])
            raise


class ReusedIds(FlatIndex):
    def remove(self, ids):
        n_removed = super().remove(ids)
        self._id_map.next_id = int(self.ids.max(initial=-1)) + 1
        return n_removed


class ForgetsNextId(FlatIndex):
    @classmethod
    def load(cls, path, *, n_threads=None):
        index = super().load(path, n_threads=n_threads)
        index._id_map.next_id = int(index.ids.max(initial=-1)) + 1
        return index


class NoPadding(FlatIndex):
    def search(self, queries, k):
        return super().search(queries, max(1, min(k, len(self))))


@pytest.mark.parametrize(
    "broken", [UnstableTies, ExclusiveRadius, ForgetfulRemoval, HalfDoneAdd, ReusedIds, ForgetsNextId, NoPadding]
)
def test_broken_index_is_caught(broken):
    with pytest.raises(AssertionError, match="index contract"):
        check_index(broken, widths=[9])
