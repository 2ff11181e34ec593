"""Weighted scores of every backend equal those summed bit by bit, in the same order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hammingway import kernels
from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError
from hammingway.kernels import numpy_twin

NATIVE = [name for name in kernels.available() if name != "numpy"]
WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 31, 35, 36, 37, 63, 64, 65, 100, 128, 255, 256, 257, 300, 520, 1024]


@pytest.fixture(params=NATIVE)
def native(request):
    return kernels.backend(request.param)


def make_database(rng, n, n_bits, *, n_flips=None, n_deleted=0):
    """Uniform codes, or copies of one code with up to ``n_flips`` bits changed; and the bits."""
    bits = rng.integers(0, 2, (n, n_bits), dtype=np.uint8)
    if n_flips is not None and n:
        bits[:] = bits[:1]
        for row in bits:
            row[rng.integers(0, n_bits, rng.integers(0, n_flips + 1))] ^= 1
    n_blocks = -(-n // kernels.LANES)
    planes, live = np.zeros((n_blocks, n_bits, 8), np.uint64), np.zeros((n_blocks, 8), np.uint64)
    numpy_twin.write_rows(planes, live, np.packbits(bits, axis=1, bitorder="little"), 0)
    for slot in rng.permutation(n)[:n_deleted]:
        live[slot // 512, slot % 512 // 64] &= ~(np.uint64(1) << np.uint64(slot % 64))
    return planes, live, bits


def make_weights(rng, n, n_bits, largest):
    return rng.integers(-largest, largest + 1, (n, n_bits)).astype(np.int8)


def assert_same(native, expected):
    for mine, twins in zip(native, expected, strict=True):
        assert mine.dtype == twins.dtype
        np.testing.assert_array_equal(mine, twins)


def test_the_twin_agrees_with_summing_weights_one_by_one():
    rng = np.random.default_rng(0)
    planes, live, bits = make_database(rng, 530, 13, n_deleted=40)
    weights = make_weights(rng, 3, 13, 127)
    slots, scores = numpy_twin.top_k_asymmetric(planes, live, weights, 600)
    for query, found, sums in zip(weights.tolist(), slots, scores, strict=True):
        expected = []
        for slot, row in enumerate(bits.tolist()):
            if int(live[slot // 512, slot % 512 // 64]) >> (slot % 64) & 1:
                expected.append((-sum(w if b else -w for w, b in zip(query, row, strict=True)), slot))
        assert [(-s, slot) for s, slot in zip(sums.tolist(), found.tolist(), strict=True)][:490] == sorted(expected)
        assert set(found[490:]) == {-1} and set(sums[490:]) == {-(2**31)}


@pytest.mark.parametrize("n_bits", WIDTHS)
def test_every_width_equals_the_twin(native, n_bits):
    rng = np.random.default_rng(n_bits)
    planes, live, _ = make_database(rng, 700, n_bits, n_deleted=30)
    for largest in (1, 7, 8, 127):
        for n_queries in (1, 12):  # adders, and look-ups
            weights = make_weights(rng, n_queries, n_bits, largest)
            for k in (1, 10, 900):
                assert_same(
                    native.top_k_asymmetric(planes, live, weights, k, n_threads=1),
                    numpy_twin.top_k_asymmetric(planes, live, weights, k),
                )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 2600),
    n_bits=st.integers(1, 400),
    n_queries=st.integers(0, 24),
    k=st.integers(1, 3000),
    n_flips=st.none() | st.integers(0, 6),
    largest=st.sampled_from([0, 1, 7, 8, 50, 127]),
    prefix=st.floats(0.01, 1),
    n_threads=st.sampled_from([1, 2, 3]),
    with_ids=st.booleans(),
)
def test_any_search_equals_the_twin(seed, n, n_bits, n_queries, k, n_flips, largest, prefix, n_threads, with_ids):
    rng = np.random.default_rng(seed)
    planes, live, _ = make_database(rng, n, n_bits, n_flips=n_flips, n_deleted=n // 7)
    weights = make_weights(rng, n_queries, max(1, int(prefix * n_bits)), largest)
    ids = rng.permutation(n) * 3 - n if with_ids else None
    expected = numpy_twin.top_k_asymmetric(planes, live, weights, k, ids=ids)
    for name in NATIVE:
        found = kernels.backend(name).top_k_asymmetric(planes, live, weights, k, ids=ids, n_threads=n_threads)
        assert_same(found, expected)


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("n_queries", [1, 40])
def test_threads_that_really_start_change_nothing(native, n_queries, with_ids):
    rng = np.random.default_rng(5)
    planes, live, _ = make_database(rng, 60_000, 20, n_flips=4, n_deleted=100)
    weights = make_weights(rng, n_queries, 20, 7)
    ids = rng.permutation(60_000) if with_ids else None
    one = native.top_k_asymmetric(planes, live, weights, 700, ids=ids, n_threads=1)
    for n_threads in (2, 3):
        assert_same(native.top_k_asymmetric(planes, live, weights, 700, ids=ids, n_threads=n_threads), one)
    twin = numpy_twin.top_k_asymmetric(planes, live, weights[:1], 700, ids=ids)
    assert_same(tuple(part[:1] for part in one), twin)


@pytest.mark.parametrize("n_queries", [1, 12])
def test_a_batch_of_queries_gives_what_each_alone_gives(native, n_queries):
    rng = np.random.default_rng(6)
    planes, live, _ = make_database(rng, 3000, 90)
    weights = make_weights(rng, 150, 90, 127)  # more than one tile of queries
    batch = native.top_k_asymmetric(planes, live, weights, 9)
    for first in range(0, 150, n_queries):
        part = slice(first, first + n_queries)
        assert_same(native.top_k_asymmetric(planes, live, weights[part], 9), tuple(found[part] for found in batch))


@pytest.mark.parametrize("n_queries", [1, 12])
def test_when_all_codes_tie_the_smallest_ids_win(native, n_queries):
    rng = np.random.default_rng(1)
    n, k = 12_000, 10_000
    planes, live, _ = make_database(rng, n, 70, n_flips=0)
    weights, ids = make_weights(rng, n_queries, 70, 127), rng.permutation(n)
    slots, scores = native.top_k_asymmetric(planes, live, weights, k, ids=ids, n_threads=2)
    assert (scores == scores[:, :1]).all()
    np.testing.assert_array_equal(ids[slots], np.broadcast_to(np.arange(k), slots.shape))
    slots, _ = native.top_k_asymmetric(planes, live, weights, k, n_threads=2)
    np.testing.assert_array_equal(slots, np.broadcast_to(np.arange(k), slots.shape))


@pytest.mark.parametrize("n_queries", [1, 3, 12])
@pytest.mark.parametrize("n_bits", [6, 64, 333])
def test_among_equal_scores_in_one_block_the_smallest_slots_win(native, n_bits, n_queries):
    for seed in range(6):
        rng = np.random.default_rng([seed, n_bits])
        planes, live, _ = make_database(rng, 2000, n_bits, n_flips=4)
        weights = make_weights(rng, n_queries, n_bits, 2)
        for k in (1, 10, 37):
            expected = numpy_twin.top_k_asymmetric(planes, live, weights, k)
            assert_same(native.top_k_asymmetric(planes, live, weights, k, n_threads=1), expected)


@pytest.mark.parametrize("n_queries", [1, 12])
def test_the_widest_codes_and_the_greatest_weights_do_not_overflow(native, n_queries):
    rng = np.random.default_rng(3)
    planes, live, bits = make_database(rng, 600, 4096)
    weights = np.repeat((bits[:1].astype(np.int8) * 2 - 1) * np.int8(127), n_queries, axis=0)
    weights[0] *= -1  # the worst score is that of the first code
    expected = numpy_twin.top_k_asymmetric(planes, live, weights, 600)
    assert expected[1].min() == -127 * 4096
    assert_same(native.top_k_asymmetric(planes, live, weights, 600, n_threads=1), expected)


@pytest.mark.parametrize("total", [65534, 65535, 65536])
def test_the_worst_code_is_found_where_sums_fill_sixteen_bits(native, total):
    weights = np.full((1, 4096), total // 4096, np.int8)
    weights[0, 0] = 127
    excess = int(weights.sum()) - total
    weights[0, 1 : 1 + abs(excess)] -= np.int8(np.sign(excess))
    assert weights.sum() == total
    planes, live = np.zeros((1, 4096, 8), np.uint64), np.zeros((1, 8), np.uint64)
    opposite_and_equal = np.array([[0] * 512, [255] * 512], np.uint8)
    numpy_twin.write_rows(planes, live, opposite_and_equal, 0)
    slots, scores = native.top_k_asymmetric(planes, live, weights, 2, n_threads=1)
    assert slots.tolist() == [[1, 0]]
    assert scores.tolist() == [[total, -total]]


def test_equal_ids_fall_back_to_the_slot(native):
    rng = np.random.default_rng(2)
    planes, live, _ = make_database(rng, 1500, 12, n_flips=1)
    for n_queries in (1, 11):
        weights, ids = make_weights(rng, n_queries, 12, 3), np.zeros(1500, dtype=np.int64)
        expected = numpy_twin.top_k_asymmetric(planes, live, weights, 40, ids=ids)
        assert_same(native.top_k_asymmetric(planes, live, weights, 40, ids=ids), expected)


def test_an_empty_database_or_no_query_gives_empty_results(native):
    planes, live, _ = make_database(np.random.default_rng(0), 0, 70)
    slots, scores = native.top_k_asymmetric(planes, live, np.ones((2, 70), np.int8), 3)
    assert slots.tolist() == [[-1] * 3] * 2
    assert scores.tolist() == [[-(2**31)] * 3] * 2
    planes, live, _ = make_database(np.random.default_rng(0), 5, 70)
    assert native.top_k_asymmetric(planes, live, np.ones((0, 70), np.int8), 3)[0].shape == (0, 3)


def test_strided_and_read_only_weights_are_taken(native):
    rng = np.random.default_rng(7)
    planes, live, _ = make_database(rng, 600, 64)
    weights = make_weights(rng, 8, 64, 127)[::2]
    expected = numpy_twin.top_k_asymmetric(planes, live, weights, 5)
    for array in (planes, live, weights):
        array.flags.writeable = False
    assert_same(native.top_k_asymmetric(planes, live, weights, 5), expected)


@pytest.mark.parametrize(
    ("weights", "error", "says"),
    [
        (np.ones((2, 8)), InvalidInputError, "int8"),
        (np.ones((2, 9), np.int8), CodeWidthError, "1 to 8"),
        (np.ones((2, 0), np.int8), CodeWidthError, "1 to 8"),
        (np.ones(8, np.int8), ShapeError, "shape"),
        (np.full((2, 8), -128, np.int8), InvalidInputError, "-127"),
    ],
)
def test_wrong_weights_are_refused(weights, error, says):
    planes, live, _ = make_database(np.random.default_rng(0), 5, 8)
    with pytest.raises(error, match=says):
        kernels.top_k_asymmetric(planes, live, weights, 1)
