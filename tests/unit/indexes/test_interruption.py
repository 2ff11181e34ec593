"""Ctrl-C or no memory at any step of a change leaves an index with tables as it was before, or as it is after."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.indexes import FlatIndex, MultiIndex, TableIndex, multi, plane_store, row_store
from hammingway.indexes.id_map import IdMap
from hammingway.indexes.plane_store import PlaneStore
from hammingway.indexes.row_store import RowStore
from hammingway.kernels.probing import Budget

ADD_STEPS = [
    (plane_store, "write_rows"),
    (PlaneStore, "append"),
    (IdMap, "append"),
    (row_store, "words_of"),
    (RowStore, "append"),
    (MultiIndex, "_tables_of"),
]


@pytest.fixture(autouse=True)
def _tables_are_used(monkeypatch):
    """Let a MultiIndex answer from its tables, where it would hand so few codes to the scan."""
    monkeypatch.setattr(multi, "budget_for", lambda *_: Budget(1, 1, 1, 10**6, 10**8))


def codes_of(n, n_bits=32, seed=0):
    return Codes.from_bits(np.random.default_rng(seed).integers(0, 2, (n, n_bits), dtype=np.uint8))


def table_index():
    return TableIndex(32, bits=range(10), max_probes=10**4)


def interrupted(function, error, after):
    """Return ``function`` that raises once it has done its work, or before it does any."""

    def run(*args, **kwargs):
        if after:
            function(*args, **kwargs)
        raise error

    return run


def agree(index, expected, queries):
    """Assert that both hold the same codes and find them in all three ways."""
    assert len(index) == len(expected)
    assert_array_equal(index.ids, expected.ids)
    assert_array_equal(index.search(queries, 20).ids, expected.search(queries, 20).ids)
    found = index.search_radius(queries, 6)
    assert not (isinstance(index, MultiIndex) and found.certificate.by_scan.any())
    assert_array_equal(found.ids, expected.search_radius(queries, 6).ids)


@pytest.mark.parametrize("make", [lambda: MultiIndex(32, n_threads=1), table_index])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "step"), ADD_STEPS)
@pytest.mark.parametrize("n_new", [5, 40_000])
def test_an_interrupted_add_leaves_planes_rows_and_tables_in_step(make, error, after, owner, step, n_new, monkeypatch):
    codes, new, queries = codes_of(20_000), codes_of(n_new, seed=1), codes_of(30, seed=2)
    index, untouched = make().add(codes), FlatIndex(32).add(codes)
    agree(index, untouched, queries)
    reached = not (owner is MultiIndex and (isinstance(index, TableIndex) or n_new < 1000))
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, interrupted(getattr(owner, step), error, after))
        if reached:
            with pytest.raises(error):
                index.add(new)
    if not reached:
        return
    agree(index, untouched, queries)
    agree(index.add(new), untouched.add(new), queries)


@pytest.mark.parametrize("make", [lambda: MultiIndex(32, n_threads=1), table_index])
@pytest.mark.parametrize(
    ("owner", "step"), [(PlaneStore, "compacted"), (IdMap, "compacted"), (RowStore, "kept"), (MultiIndex, "_tables_of")]
)
def test_an_interrupted_compaction_has_removed_the_codes_and_kept_the_rest(make, owner, step, monkeypatch):
    codes, queries, gone = codes_of(20_000), codes_of(30, seed=2), np.arange(0, 15_000)
    index, expected = make().add(codes), FlatIndex(32).add(codes)
    expected.remove(gone)
    if owner is MultiIndex and isinstance(index, TableIndex):
        pytest.skip("a TableIndex makes its tables when it is searched")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, step, interrupted(getattr(owner, step), KeyboardInterrupt, after=True))
        index.remove(gone)
    agree(index, expected, queries)
    more = codes_of(2000, seed=3)
    agree(index.add(more), expected.add(more), queries)
