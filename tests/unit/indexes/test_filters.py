"""Filters: a filtered search is the search of an index that holds only what passes."""

from __future__ import annotations

import gc
from weakref import ref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.indexes import Filter, FlatIndex, MultiIndex, TableIndex, filters, multi
from hammingway.kernels.probing import Budget


@pytest.fixture(autouse=True, scope="module")
def _tables_for_few_codes():
    """Let a MultiIndex use its tables from 9 codes on, and not only the scan it falls back on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi, "_TAIL", 8)
        patch.setattr(multi, "budget_for", lambda *_: Budget(1, 1, 1, 10**5, 10**7))
        yield


def test_a_filter_by_metadata_is_sent_to_a_collection():
    codes = random_codes(9, 8)
    for index in (FlatIndex(8), MultiIndex(8), table_index(8)):
        with pytest.raises(InvalidInputError, match=r"a list of ids, or a Filter.*got a dict.*are a Collection's"):
            index.add(codes).search(codes, 1, where={"section": "games"})


def random_codes(n, n_bits, seed=0):
    return Codes.from_bits(np.random.default_rng([seed, n_bits]).integers(0, 2, (n, n_bits), dtype=np.uint8))


def table_index(n_bits):
    return TableIndex(n_bits, bits=range(min(n_bits, 8)), max_probes=10**6)


def forms(allowed, n):
    """Return the ways to say which ids may be found."""
    mask = np.zeros(n, np.bool_)
    mask[allowed] = True
    bitmap = np.packbits(mask, bitorder="little")
    return [mask, allowed, list(allowed), Filter(mask), Filter(allowed), Filter.from_bitmap(bitmap)]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    make=st.sampled_from([FlatIndex, MultiIndex, table_index]),
    n_bits=st.sampled_from([1, 7, 8, 9, 63, 64, 65]),
    n=st.sampled_from([0, 1, 511, 600, 1500]),
    share=st.sampled_from([0, 0.01, 0.5, 1]),
    own_ids=st.booleans(),
    n_removed=st.integers(0, 100),
    k=st.sampled_from([1, 10, 2000]),
    seed=st.integers(0, 99),
)
def test_a_filtered_search_is_the_search_of_what_passes(make, n_bits, n, share, own_ids, n_removed, k, seed):
    rng = np.random.default_rng(seed)
    codes, queries = random_codes(n, n_bits, seed), random_codes(4, n_bits, seed + 1)
    ids = rng.permutation(2 * n)[:n] if own_ids else np.arange(n)
    index = make(n_bits).add(codes, ids=ids if own_ids else None)
    gone = rng.permutation(ids)[:n_removed]
    index.remove(gone)
    allowed = ids[rng.random(n) < share]
    passes = np.isin(ids, allowed) & ~np.isin(ids, gone)
    expected = FlatIndex(n_bits).add(codes[passes], ids=ids[passes])
    scores = rng.normal(size=(4, n_bits))
    for where in forms(allowed, 2 * n + 1):
        found, ranges = index.search(queries, k, where=where), index.search_radius(queries, n_bits // 2, where=where)
        assert_array_equal(found.ids, expected.search(queries, k).ids)
        assert_array_equal(found.distances, expected.search(queries, k).distances)
        assert_array_equal(ranges.ids, expected.search_radius(queries, n_bits // 2).ids)
        assert_array_equal(ranges.offsets, expected.search_radius(queries, n_bits // 2).offsets)
        scored = index.search_asymmetric(scores, k, where=where)
        assert_array_equal(scored.ids, expected.search_asymmetric(scores, k).ids)


def test_what_a_filter_leaves_out_fills_with_minus_one():
    index = FlatIndex(8).add(random_codes(600, 8))
    found = index.search(random_codes(2, 8, seed=1), 3, where=[7])
    assert_array_equal(found.ids, [[7, -1, -1]] * 2)
    assert_array_equal(found.distances[:, 1:], [[9, 9]] * 2)
    assert_array_equal(index.search(random_codes(2, 8), 2, where=[]).ids, [[-1, -1]] * 2)


def test_tables_say_that_everything_that_passes_was_compared():
    index = TableIndex(32, bits=range(12), max_probes=10**6).add(random_codes(3000, 32))
    found = index.search(random_codes(5, 32, seed=1), 40, where=range(50))
    assert found.certificate.exact.all()
    assert (found.certificate.candidates <= 50).all()


def test_one_plane_serves_until_the_index_changes(monkeypatch):
    index, other, queries = FlatIndex(16).add(random_codes(900, 16)), FlatIndex(16), random_codes(3, 16, seed=1)
    chosen, made = Filter(np.arange(0, 2000, 2)), []
    plain = filters.set_bits
    monkeypatch.setattr(filters, "set_bits", lambda *args: made.append(1) or plain(*args))
    for _ in range(3):
        index.search(queries, 5, where=chosen)
    assert len(made) == 1
    index.add(random_codes(600, 16, seed=2))
    assert index.search(queries, 1500, where=chosen).ids.max() == 1498
    index.remove([1498])
    assert index.search(queries, 1500, where=chosen).ids.max() == 1496
    assert (other.search(queries, 1, where=chosen).ids == -1).all()
    assert len(made) == 4


def test_a_filter_follows_the_index_through_compaction():
    index, queries = FlatIndex(16).add(random_codes(2000, 16)), random_codes(3, 16, seed=1)
    chosen = Filter([5, 1999])
    index.search(queries, 1, where=chosen)
    index.remove(np.arange(10, 1990))
    assert_array_equal(np.sort(index.search(queries, 2, where=chosen).ids, axis=1), [[5, 1999]] * 3)


def test_a_filter_keeps_no_index_alive_and_no_caller_changes_it():
    mask = np.ones(100, np.bool_)
    chosen, index = Filter(mask), FlatIndex(16).add(random_codes(100, 16))
    mask[:] = False
    assert index.search(random_codes(1, 16), 1, where=chosen).ids[0, 0] >= 0
    gone = ref(index._store)
    del index
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ([0.5], InvalidInputError),
        (["a"], InvalidInputError),
        ([-1], InvalidInputError),
        ([[1, 2]], ShapeError),
        (np.ones((2, 2), np.bool_), ShapeError),
        (True, ShapeError),
    ],
)
def test_what_is_no_filter_is_refused(where, error):
    index = FlatIndex(8).add(random_codes(10, 8))
    with pytest.raises(error):
        index.search(random_codes(1, 8), 1, where=where)


def test_a_bitmap_is_bytes_in_one_row():
    with pytest.raises(InvalidInputError, match="uint8"):
        Filter.from_bitmap([1, 2])
    with pytest.raises(ShapeError):
        Filter.from_bitmap(np.zeros((2, 2), np.uint8))
