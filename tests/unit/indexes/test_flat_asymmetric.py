"""FlatIndex.search_asymmetric ranks by the scores' inner product with the codes as -1 and +1."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError
from hammingway.indexes import FlatIndex
from hammingway.indexes.query_weights import quantize_scores


def random_codes(n, n_bits, seed=0):
    return Codes.from_bits(np.random.default_rng(seed).integers(0, 2, (n, n_bits), dtype=np.uint8))


def random_scores(n, n_bits, seed=1):
    return np.random.default_rng(seed).standard_normal((n, n_bits))


def ranked(codes, ids, scores, k, query_bits):
    """The oracle: integer weights times signs, sorted by (-score, id)."""
    weights, units = quantize_scores(scores, query_bits)
    sums = weights.astype(np.int64) @ codes.to_signs().T.astype(np.int64)
    order = np.array([np.lexsort((ids, -row))[:k] for row in sums])
    return ids[order], np.take_along_axis(sums, order, axis=1) * units[:, None]


@pytest.mark.parametrize("query_bits", [4, 8])
@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 63, 64, 65, 513])
def test_search_agrees_with_the_inner_products(n_bits, query_bits):
    codes, scores = random_codes(1200, n_bits), random_scores(5, n_bits)
    found = FlatIndex(n_bits).add(codes).search_asymmetric(scores, 20, query_bits=query_bits)
    ids, similarities = ranked(codes, np.arange(1200), scores, 20, query_bits)
    assert_array_equal(found.ids, ids)
    assert_array_equal(found.scores, similarities)


def test_scores_are_the_exact_inner_products_to_the_rounding_of_the_query():
    codes, scores = random_codes(500, 64), random_scores(4, 64)
    exact = scores @ codes.to_signs().T
    for query_bits, unit in ((4, 1 / 7), (8, 1 / 127)):
        found = FlatIndex(64).add(codes).search_asymmetric(scores, 500, query_bits=query_bits)
        error = np.abs(found.scores - np.take_along_axis(exact, found.ids, axis=1))
        assert (error <= 64 / 2 * unit * np.abs(scores).max(axis=1)[:, None]).all()


def test_sign_scores_rank_as_the_hamming_distance_does():
    codes, queries = random_codes(3000, 40), random_codes(6, 40, seed=2)
    index = FlatIndex(40).add(codes, ids=np.random.default_rng(3).permutation(9000)[:3000])
    near = index.search(queries, 50)
    found = index.search_asymmetric(queries.to_signs(), 50)
    assert_array_equal(found.ids, near.ids)
    assert_allclose(found.scores, 40 - 2 * near.distances)


def test_own_ids_order_ties_and_removed_codes_are_not_found():
    codes, scores = random_codes(2000, 6), random_scores(3, 6)
    ids = np.random.default_rng(4).permutation(5000)[:2000]
    index = FlatIndex(6).add(codes, ids=ids)
    gone = ids[::3]
    index.remove(gone)
    kept = np.setdiff1d(np.arange(2000), np.arange(2000)[::3])
    for k in (1, 40, 1000):
        found = index.search_asymmetric(scores, k, query_bits=4)
        assert_array_equal(found.ids, ranked(codes[kept], ids[kept], scores, k, 4)[0])


def test_missing_codes_are_minus_one_at_minus_infinity():
    found = FlatIndex(9).add(random_codes(2, 9)).search_asymmetric(random_scores(2, 9), 4)
    assert_array_equal(found.ids[:, 2:], -1)
    assert_array_equal(found.scores[:, 2:], -np.inf)
    empty = FlatIndex(9).search_asymmetric(random_scores(2, 9), 3)
    assert_array_equal(empty.ids, -1)
    assert FlatIndex(9).add(random_codes(2, 9)).search_asymmetric(np.empty((0, 9)), 3).ids.shape == (0, 3)


@pytest.mark.parametrize("prefix_bits", [1, 13, 64, 70])
def test_a_prefix_ranks_as_an_index_of_shorter_codes(prefix_bits):
    codes, scores = random_codes(900, 70), random_scores(12, 70)
    short = Codes.from_bits(codes.unpack()[:, :prefix_bits])
    expected = FlatIndex(prefix_bits).add(short).search_asymmetric(scores[:, :prefix_bits], 30)
    found = FlatIndex(70).add(codes).search_asymmetric(scores[:, :prefix_bits], 30, prefix_bits=prefix_bits)
    assert_array_equal(found.ids, expected.ids)
    assert_array_equal(found.scores, expected.scores)


def test_thread_count_and_batching_never_change_a_result():
    codes, scores = random_codes(20_000, 24), random_scores(40, 24)
    one, three = (FlatIndex(24, n_threads=n).add(codes) for n in (1, 3))
    batch = one.search_asymmetric(scores, 50, query_bits=4)
    assert_array_equal(three.search_asymmetric(scores, 50, query_bits=4).ids, batch.ids)
    for row in range(0, 40, 13):
        assert_array_equal(one.search_asymmetric(scores[row : row + 1], 50, query_bits=4).ids[0], batch.ids[row])


def test_a_query_without_any_score_returns_the_smallest_ids():
    found = FlatIndex(8).add(random_codes(30, 8)).search_asymmetric(np.zeros((1, 8)), 3)
    assert_array_equal(found.ids, [[0, 1, 2]])
    assert_array_equal(found.scores, 0)


@pytest.mark.parametrize(
    ("scores", "options", "error"),
    [
        (np.ones((2, 7)), {}, CodeWidthError),
        (np.ones(8), {}, ShapeError),
        (np.full((2, 8), np.nan), {}, InvalidInputError),
        (np.ones((2, 8)), {"k": 0}, InvalidInputError),
        (np.ones((2, 8)), {"query_bits": 6}, InvalidInputError),
        (np.ones((2, 8)), {"prefix_bits": 9}, InvalidInputError),
        (np.ones((2, 8)), {"prefix_bits": 0}, InvalidInputError),
        (np.ones((2, 8)), {"prefix_bits": 4}, CodeWidthError),
        (np.ones((2, 8)), {"prefix_bits": True}, InvalidInputError),
    ],
)
def test_wrong_arguments_are_refused(scores, options, error):
    index = FlatIndex(8).add(random_codes(5, 8))
    with pytest.raises(error):
        index.search_asymmetric(scores, **{"k": 1, **options})
