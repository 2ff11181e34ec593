"""FlatIndex ranks by score plus bias where codes were added with one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError
from hammingway.indexes import FlatIndex, MultiIndex, TableIndex, load_index
from hammingway.indexes.bias_store import BiasStore
from hammingway.indexes.query_weights import quantize_scores
from hammingway.storage import read_arrays, write_arrays


def random_codes(n, n_bits, seed=0):
    return Codes.from_bits(np.random.default_rng(seed).integers(0, 2, (n, n_bits), dtype=np.uint8))


def random_scores(n, n_bits, seed=1):
    return np.random.default_rng(seed).standard_normal((n, n_bits))


def random_bias(n, scale=3.0, seed=5):
    return (np.random.default_rng(seed).standard_normal(n) * scale).astype(np.float32)


def assert_ranked(found, codes, ids, bias, scores, *, query_bits=8):
    """The oracle: integer weights times signs in units, plus the bias, sorted by (-value, id)."""
    weights, units = quantize_scores(scores, query_bits)
    sums = weights.astype(np.int64) @ codes.to_signs()[:, : scores.shape[1]].T.astype(np.int64)
    values = sums * units[:, None] + bias.astype(np.float64)
    k = min(found.ids.shape[1], len(ids))
    for row, value in enumerate(values):
        order = np.lexsort((ids, -value))[:k]
        assert_array_equal(found.ids[row, :k], ids[order])
        assert_array_equal(found.scores[row, :k], value[order])
    assert_array_equal(found.ids[:, k:], -1)
    assert_array_equal(found.scores[:, k:], -np.inf)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 1600),
    n_bits=st.sampled_from([1, 7, 8, 9, 63, 64, 65, 200]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e9, 3e37]),
    levels=st.sampled_from([1, 2, 5, 10**6]),
    k=st.integers(1, 60),
    n_queries=st.integers(1, 5),
    query_bits=st.sampled_from([4, 8]),
    seed=st.integers(0, 2**32 - 1),
)
def test_search_agrees_with_the_sums(n, n_bits, scale, levels, k, n_queries, query_bits, seed):
    rng = np.random.default_rng(seed)
    bias = (rng.integers(-levels, levels + 1, n) / levels * scale).astype(np.float32)
    codes, scores = random_codes(n, n_bits, seed), random_scores(n_queries, n_bits, seed)
    ids = rng.permutation(3 * n)[:n]
    found = (
        FlatIndex(n_bits, n_threads=2).add(codes, ids, bias=bias).search_asymmetric(scores, k, query_bits=query_bits)
    )
    assert_ranked(found, codes, ids, bias, scores, query_bits=query_bits)


@pytest.mark.parametrize("n_bits", [1, 63, 64, 65, 257])
@pytest.mark.parametrize("scale", [0.5, 8.0])
def test_many_blocks_and_queries_agree_with_the_sums(n_bits, scale):
    codes, scores, bias = random_codes(20_000, n_bits), random_scores(140, n_bits), random_bias(20_000, scale)
    found = FlatIndex(n_bits).add(codes, bias=bias).search_asymmetric(scores, 10)
    assert_ranked(found, codes, np.arange(20_000), bias, scores)


@pytest.mark.parametrize("prefix_bits", [1, 13, 64])
def test_a_prefix_is_scored_with_the_whole_bias(prefix_bits):
    codes, scores, bias = random_codes(900, 70), random_scores(6, prefix_bits), random_bias(900)
    found = FlatIndex(70).add(codes, bias=bias).search_asymmetric(scores, 30, prefix_bits=prefix_bits)
    assert_ranked(found, codes, np.arange(900), bias, scores)


def test_equal_biases_leave_the_order_as_it_is():
    codes, scores = random_codes(3000, 10), random_scores(4, 10)
    plain = FlatIndex(10).add(codes).search_asymmetric(scores, 100)
    found = FlatIndex(10).add(codes, bias=np.full(3000, 2.5)).search_asymmetric(scores, 100)
    assert_array_equal(found.ids, plain.ids)
    assert_array_equal(found.scores, plain.scores + 2.5)


def test_biases_beside_which_scores_vanish_are_ranked_by_bias_then_id():
    bias = np.where(np.arange(4000) % 3 == 0, 3e38, -3e38)
    found = FlatIndex(16).add(random_codes(4000, 16), bias=bias).search_asymmetric(random_scores(2, 16), 1500)
    expected = np.concatenate([np.arange(0, 4000, 3), np.flatnonzero(np.arange(4000) % 3)])[:1500]
    assert_array_equal(found.ids, np.tile(expected, (2, 1)))


@pytest.mark.parametrize("size", [0.0, 5e-324, 1e-300, 1e299])
def test_scores_of_any_size_are_ranked_with_the_bias(size):
    codes, bias = random_codes(2000, 20), random_bias(2000)
    scores = np.sign(random_scores(3, 20)) * size
    found = FlatIndex(20).add(codes, bias=bias).search_asymmetric(scores, 25)
    assert_ranked(found, codes, np.arange(2000), bias, scores)


def test_removed_codes_are_not_found_and_the_rest_keep_their_bias():
    codes, scores, bias = random_codes(5000, 24), random_scores(5, 24), random_bias(5000)
    ids = np.random.default_rng(4).permutation(9000)[:5000]
    index = FlatIndex(24).add(codes, ids, bias=bias)
    kept = np.arange(5000)
    for gone in (np.arange(0, 5000, 3), np.arange(1, 5000, 3)):  # the second rewrites the index
        index.remove(ids[gone])
        kept = np.setdiff1d(kept, gone)
        assert_ranked(index.search_asymmetric(scores, 40), codes[kept], ids[kept], bias[kept], scores)
    more = random_bias(700, seed=8)
    index.add(random_codes(700, 24, seed=9), np.arange(9000, 9700), bias=more)
    both = Codes.from_bits(np.concatenate([codes[kept].unpack(), random_codes(700, 24, seed=9).unpack()]))
    all_ids, all_bias = np.concatenate([ids[kept], np.arange(9000, 9700)]), np.concatenate([bias[kept], more])
    assert_ranked(index.search_asymmetric(scores, 40), both, all_ids, all_bias, scores)


@pytest.mark.parametrize("kind", [MultiIndex, TableIndex])
def test_indexes_with_tables_keep_the_bias(tmp_path, kind):
    codes, scores, bias = random_codes(3000, 24), random_scores(5, 24), random_bias(3000)
    index = kind(24).add(codes, bias=bias)
    index.remove(np.arange(0, 2000))
    assert_ranked(index.search_asymmetric(scores, 20), codes[2000:], np.arange(2000, 3000), bias[2000:], scores)
    index.save(tmp_path / "index")
    found = kind.load(tmp_path / "index").search_asymmetric(scores, 20)
    assert_ranked(found, codes[2000:], np.arange(2000, 3000), bias[2000:], scores)


def test_many_small_adds_give_what_one_gives():
    codes, scores, bias = random_codes(2100, 12), random_scores(3, 12), random_bias(2100)
    index = FlatIndex(12)
    for start in range(0, 2100, 70):
        index.add(codes[start : start + 70], bias=bias[start : start + 70])
    assert_ranked(index.search_asymmetric(scores, 30), codes, np.arange(2100), bias, scores)


def test_a_filter_leaves_the_bias_in_place():
    codes, scores, bias = random_codes(3000, 24), random_scores(5, 24), random_bias(3000)
    index = FlatIndex(24).add(codes, bias=bias)
    mask = np.random.default_rng(6).random(3000) < 0.1
    kept = np.flatnonzero(mask)
    assert_ranked(index.search_asymmetric(scores, 20, where=mask), codes[kept], kept, bias[kept], scores)


def test_a_saved_index_answers_the_same(tmp_path):
    codes, scores, bias = random_codes(1500, 24), random_scores(5, 24), random_bias(1500)
    index = FlatIndex(24).add(codes, bias=bias)
    index.remove(np.arange(0, 1500, 4))
    index.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index")
    assert loaded.has_bias
    assert_array_equal(loaded.search_asymmetric(scores, 60).ids, index.search_asymmetric(scores, 60).ids)
    assert_array_equal(loaded.search_asymmetric(scores, 60).scores, index.search_asymmetric(scores, 60).scores)
    FlatIndex(24).add(codes).save(tmp_path / "plain")
    assert not load_index(tmp_path / "plain").has_bias


@pytest.mark.parametrize(
    "damaged", [np.zeros(9, np.float32), np.zeros(10), np.full(10, np.nan, np.float32), np.zeros((10, 1), np.float32)]
)
def test_a_file_with_damaged_biases_is_refused(tmp_path, damaged):
    FlatIndex(24).add(random_codes(10, 24), bias=random_bias(10)).save(tmp_path / "index")
    arrays, header = read_arrays(tmp_path / "index", kind="flat-index")
    write_arrays(tmp_path / "bad", {**arrays, "bias": damaged}, kind="flat-index", header=header)
    with pytest.raises(FileFormatError, match="bias"):
        FlatIndex.load(tmp_path / "bad")


def test_thread_count_and_batching_never_change_a_result():
    codes, scores, bias = random_codes(30_000, 24), random_scores(40, 24), random_bias(30_000).round()
    one, three = (FlatIndex(24, n_threads=n).add(codes, bias=bias) for n in (1, 3))
    batch = one.search_asymmetric(scores, 50, query_bits=4)
    again = three.search_asymmetric(scores, 50, query_bits=4)
    assert_array_equal(again.ids, batch.ids)
    assert_array_equal(again.scores, batch.scores)
    for row in range(0, 40, 13):
        single = three.search_asymmetric(scores[row : row + 1], 50, query_bits=4)
        assert_array_equal(single.ids[0], batch.ids[row])


def test_hamming_search_passes_over_the_bias():
    codes, queries = random_codes(2000, 40), random_codes(6, 40, seed=2)
    found = FlatIndex(40).add(codes, bias=random_bias(2000)).search(queries, 20)
    assert_array_equal(found.ids, FlatIndex(40).add(codes).search(queries, 20).ids)


def test_a_bias_for_some_codes_only_is_refused():
    codes = random_codes(5, 8)
    for first, second in ((None, np.zeros(5)), (np.zeros(5), None)):
        index = FlatIndex(8).add(codes, bias=first)
        with pytest.raises(InvalidInputError, match="a bias or none"):
            index.add(codes, bias=second)
        assert len(index) == 5
        index.remove(np.arange(5))
        assert index.add(codes, bias=second).has_bias == (second is not None)
        assert_array_equal(np.sort(index.search_asymmetric(np.ones((1, 8)), 9).ids[0])[:5], [-1, -1, -1, -1, 5])


@pytest.mark.parametrize(
    ("bias", "error"),
    [
        (np.full(5, np.nan), InvalidInputError),
        (np.full(5, -np.inf), InvalidInputError),
        (np.full(5, 1e39), InvalidInputError),
        (np.array(["a"] * 5), InvalidInputError),
        (np.zeros(4), ShapeError),
        (np.zeros((5, 1)), ShapeError),
    ],
)
def test_wrong_biases_are_refused_and_nothing_is_added(bias, error):
    index = FlatIndex(8)
    with pytest.raises(error, match="bias"):
        index.add(random_codes(5, 8), bias=bias)
    assert len(index) == 0
    assert not index.has_bias


def test_an_add_that_fails_takes_its_biases_back(monkeypatch):
    codes, scores, bias = random_codes(1000, 16), random_scores(2, 16), random_bias(1000)
    index = FlatIndex(16).add(codes, bias=bias)

    put = BiasStore.put

    def put_and_fail(store, given, first_slot):
        put(store, given, first_slot)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(BiasStore, "put", put_and_fail)
        index.add(codes, bias=np.full(1000, 1e6))
    assert_ranked(index.search_asymmetric(scores, 20), codes, np.arange(1000), bias, scores)
    index.add(codes, bias=bias)
    assert len(index) == 2000
