"""Every backend that can run here gives what the NumPy twin gives, bit for bit."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hammingway import kernels
from hammingway.errors import InvalidInputError
from hammingway.kernels import native as native_module
from hammingway.kernels import numpy_twin
from hammingway.kernels.backends import Kernels
from hammingway.kernels.layout import Biases

NATIVE = [name for name in kernels.available() if name != "numpy"]
WIDTHS = [
    1,
    2,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    33,
    63,
    64,
    65,
    72,
    80,
    96,
    88,
    89,
    127,
    128,
    129,
    200,
    224,
    225,
    256,
    300,
    511,
    520,
    1024,
]


@dataclass
class Database:
    planes: NDArray[np.uint64]
    live: NDArray[np.uint64]
    packed: NDArray[np.uint8]
    queries: NDArray[np.uint8]


@pytest.fixture(params=NATIVE)
def native(request) -> Kernels:
    return kernels.backend(request.param)


def random_codes(rng, n, n_bits, n_flips=None):
    """Uniform codes, or (n_flips) copies of one code with up to n_flips bits changed: ties everywhere."""
    bits = rng.integers(0, 2, (n, n_bits), dtype=np.uint8)
    if n_flips is not None:
        bits[:] = bits[:1] if n else bits
        for row in bits:
            row[rng.integers(0, n_bits, rng.integers(0, n_flips + 1))] ^= 1
    return np.packbits(bits, axis=1, bitorder="little")


def make_database(rng, n, n_bits, *, n_queries=3, n_flips=None, n_deleted=0) -> Database:
    n_blocks = -(-n // kernels.LANES)
    planes = np.zeros((n_blocks, n_bits, 8), dtype=np.uint64)
    live = np.zeros((n_blocks, 8), dtype=np.uint64)
    codes = random_codes(rng, n + n_queries, n_bits, n_flips)
    numpy_twin.write_rows(planes, live, codes[:n], 0)
    for slot in rng.permutation(n)[:n_deleted]:
        live[slot // 512, slot % 512 // 64] &= ~(np.uint64(1) << np.uint64(slot % 64))
    return Database(planes, live, codes[:n], codes[n:])


def assert_same(native, expected):
    for mine, twins in zip(native, expected, strict=True):
        assert mine.dtype == twins.dtype
        np.testing.assert_array_equal(mine, twins)


def test_a_native_backend_was_built():
    assert "baseline" in NATIVE


def test_the_twin_agrees_with_counting_bits_one_by_one():
    rng = np.random.default_rng(0)
    data = make_database(rng, 530, 13, n_deleted=40)
    slots, distances = numpy_twin.top_k(data.planes, data.live, data.queries, 600)
    for query, found, far in zip(data.queries, slots, distances, strict=True):
        expected = []
        for slot, row in enumerate(data.packed):
            if int(data.live[slot // 512, slot % 512 // 64]) >> (slot % 64) & 1:
                expected.append((sum((int(a) ^ int(b)).bit_count() for a, b in zip(query, row, strict=True)), slot))
        assert [(d, s) for d, s in zip(far, found, strict=True) if s >= 0] == sorted(expected)
        assert len(expected) == 490
        assert set(found[490:]) == {-1} and set(far[490:]) == {14}


@pytest.mark.parametrize("n_bits", WIDTHS)
def test_top_k_and_within_equal_the_twin_at_every_width(native, n_bits):
    rng = np.random.default_rng(n_bits)
    for n_queries in (1, 3, 12):  # planes flipped on the fly, and tables
        data = make_database(rng, 700, n_bits, n_queries=n_queries, n_deleted=30)
        for k in (1, 10, 900):
            assert_same(
                native.top_k(data.planes, data.live, data.queries, k, n_threads=1),
                numpy_twin.top_k(data.planes, data.live, data.queries, k),
            )
        for radius in (0, n_bits // 2, n_bits):
            assert_same(
                native.within(data.planes, data.live, data.queries, radius, n_threads=1),
                numpy_twin.within(data.planes, data.live, data.queries, radius),
            )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 2600),
    n_bits=st.integers(1, 600),
    n_queries=st.integers(0, 24),
    k=st.integers(1, 3000),
    n_flips=st.none() | st.integers(0, 6),
    n_threads=st.sampled_from([1, 2, 3]),
    with_ids=st.booleans(),
)
def test_any_search_equals_the_twin(seed, n, n_bits, n_queries, k, n_flips, n_threads, with_ids):
    rng = np.random.default_rng(seed)
    data = make_database(rng, n, n_bits, n_queries=n_queries, n_flips=n_flips, n_deleted=n // 7)
    ids = rng.permutation(n) * 3 - n if with_ids else None
    radius = int(rng.integers(0, n_bits + 2))
    best = numpy_twin.top_k(data.planes, data.live, data.queries, k, ids=ids)
    near = numpy_twin.within(data.planes, data.live, data.queries, radius, ids=ids)
    for name in NATIVE:
        native = kernels.backend(name)
        assert_same(native.top_k(data.planes, data.live, data.queries, k, ids=ids, n_threads=n_threads), best)
        assert_same(native.within(data.planes, data.live, data.queries, radius, ids=ids, n_threads=n_threads), near)


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("n_queries", [1, 40])
def test_threads_that_really_start_change_nothing(native, n_queries, with_ids):
    rng = np.random.default_rng(5)
    data = make_database(rng, 60_000, 20, n_queries=n_queries, n_flips=4, n_deleted=100)
    ids = rng.permutation(60_000) if with_ids else None
    one = native.top_k(data.planes, data.live, data.queries, 700, ids=ids, n_threads=1)
    for n_threads in (2, 3):
        assert_same(native.top_k(data.planes, data.live, data.queries, 700, ids=ids, n_threads=n_threads), one)
    assert_same(
        tuple(part[:1] for part in one), numpy_twin.top_k(data.planes, data.live, data.queries[:1], 700, ids=ids)
    )


@pytest.mark.parametrize("n_bits", [64, 100])
@pytest.mark.parametrize("distance", [0, 5])
def test_when_all_codes_tie_the_smallest_ids_win(native, n_bits, distance):
    rng = np.random.default_rng(1)
    n, k = 12_000, 10_000
    data = make_database(rng, n, n_bits, n_queries=12, n_flips=0)
    queries = data.queries ^ np.uint8(0)
    queries[:, 0] ^= np.uint8((1 << distance) - 1)
    ids = rng.permutation(n)
    slots, distances = native.top_k(data.planes, data.live, queries, k, ids=ids, n_threads=2)
    assert (distances == distance).all()
    np.testing.assert_array_equal(ids[slots], np.broadcast_to(np.arange(k), slots.shape))
    slots, _ = native.top_k(data.planes, data.live, queries, k, n_threads=2)
    np.testing.assert_array_equal(slots, np.broadcast_to(np.arange(k), slots.shape))


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("k", [1, 10, 300])
@pytest.mark.parametrize("n_bits", [9, 64, 600])
def test_codes_that_come_farthest_first_equal_the_twin(native, n_bits, k, with_ids):
    rng = np.random.default_rng(8)
    packed = rng.integers(0, 256, (2100, -(-n_bits // 8)), dtype=np.uint8)
    packed[:, -1] &= 0xFF >> (-n_bits % 8)
    query = packed[7].copy()
    distances = np.bitwise_count(packed ^ query).sum(axis=1, dtype=np.int64)
    packed = packed[np.argsort(-distances, kind="stable")]
    planes = np.zeros((5, n_bits, 8), dtype=np.uint64)
    live = np.zeros((5, 8), dtype=np.uint64)
    native.write_rows(planes, live, packed, 0)
    ids = rng.permutation(2100) if with_ids else None
    for n_queries in (1, 12):
        queries = np.repeat(query[np.newaxis], n_queries, axis=0)
        expected = numpy_twin.top_k(planes, live, queries, k, ids=ids)
        assert_same(native.top_k(planes, live, queries, k, ids=ids), expected)


def test_equal_ids_fall_back_to_the_slot(native):
    data = make_database(np.random.default_rng(2), 1500, 12, n_queries=11, n_flips=1)
    ids = np.zeros(1500, dtype=np.int64)
    expected = numpy_twin.top_k(data.planes, data.live, data.queries, 40, ids=ids)
    assert_same(native.top_k(data.planes, data.live, data.queries, 40, ids=ids), expected)


def test_the_widest_codes_are_searched(native):
    data = make_database(np.random.default_rng(3), 600, 4096, n_queries=12)
    data.queries[0] = ~data.packed[0]  # a distance of 4096
    expected = numpy_twin.top_k(data.planes, data.live, data.queries, 600)
    assert expected[1].max() == 4096
    assert_same(native.top_k(data.planes, data.live, data.queries, 600, n_threads=1), expected)
    assert_same(
        native.top_k(data.planes, data.live, data.queries[:1], 600, n_threads=1), tuple(part[:1] for part in expected)
    )


def test_an_empty_database_or_no_query_gives_empty_results(native):
    data = make_database(np.random.default_rng(0), 0, 70, n_queries=2)
    slots, distances = native.top_k(data.planes, data.live, data.queries, 3)
    assert slots.tolist() == [[-1] * 3] * 2
    assert distances.tolist() == [[71] * 3] * 2
    assert native.within(data.planes, data.live, data.queries, 70)[2].tolist() == [0, 0, 0]
    data = make_database(np.random.default_rng(0), 5, 70, n_queries=0)
    assert native.top_k(data.planes, data.live, data.queries, 3)[0].shape == (0, 3)
    assert native.within(data.planes, data.live, data.queries, 3)[2].tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 300),
    start=st.integers(0, 700),
    n_bits=st.sampled_from([*WIDTHS, 4096]),
)
def test_rows_written_over_others_equal_the_twin_and_read_back(seed, n, start, n_bits):
    rng = np.random.default_rng(seed)
    before = make_database(rng, 1024, n_bits, n_deleted=500)
    packed = random_codes(rng, n, n_bits)
    expected = before.planes.copy(), before.live.copy()
    numpy_twin.write_rows(*expected, packed, start)
    slots = np.concatenate([np.arange(start, start + n), rng.integers(0, 1024, 20)])
    for name in NATIVE:
        native = kernels.backend(name)
        planes, live = before.planes.copy(), before.live.copy()
        native.write_rows(planes, live, packed, start)
        assert_same((planes, live), expected)
        read = native.read_rows(planes, slots)
        np.testing.assert_array_equal(read[:n], packed)
        np.testing.assert_array_equal(read, numpy_twin.read_rows(planes, slots))


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 8, 9, 12, 16, 24, 32, 63, 64, 128, 512])
def test_pairwise_equals_the_twin(native, n_bytes):
    rng = np.random.default_rng(n_bytes)
    queries = rng.integers(0, 256, (5, n_bytes), dtype=np.uint8)
    database = rng.integers(0, 256, (2100, n_bytes), dtype=np.uint8)
    database[0] = ~queries[0]
    for n_threads in (1, 2):
        found = native.pairwise(queries, database, n_threads=n_threads)
        assert found[0, 0] == 8 * n_bytes
        assert_same([found], [numpy_twin.pairwise(queries, database)])
    assert native.pairwise(queries[:0], database).shape == (0, 2100)
    assert native.pairwise(queries, database[:0]).shape == (5, 0)


def test_strided_and_read_only_queries_are_taken(native):
    data = make_database(np.random.default_rng(7), 600, 64, n_queries=4)
    expected = numpy_twin.top_k(data.planes, data.live, data.queries[::2], 5)
    for array in (data.planes, data.live, data.queries):
        array.flags.writeable = False
    assert_same(native.top_k(data.planes, data.live, data.queries[::2], 5), expected)


@pytest.mark.parametrize("n_queries", [127, 128, 129, 300])
def test_queries_cut_into_several_calls_equal_the_twin(native, n_queries, monkeypatch):
    monkeypatch.setattr(native_module, "_WORDS_A_CALL", 1)
    data = make_database(np.random.default_rng(8), 300, 20, n_queries=n_queries, n_flips=4)
    found = native.top_k(data.planes, data.live, data.queries, 7)
    assert_same(found, numpy_twin.top_k(data.planes, data.live, data.queries, 7))
    found = native.within(data.planes, data.live, data.queries, 3)
    assert_same(found, numpy_twin.within(data.planes, data.live, data.queries, 3))
    rng = np.random.default_rng(9)
    weights = rng.integers(-127, 128, (n_queries, 20)).astype(np.int8)
    found = native.top_k_asymmetric(data.planes, data.live, weights, 7)
    assert_same(found, numpy_twin.top_k_asymmetric(data.planes, data.live, weights, 7))
    of_slot = rng.normal(size=len(data.planes) * 512).astype(np.float32)
    biases = Biases(rng.random(n_queries), of_slot, of_slot.reshape(-1, 512).max(axis=1))
    found = native.top_k_biased(data.planes, data.live, weights, 7, biases=biases)
    assert_same(found, numpy_twin.top_k_biased(data.planes, data.live, weights, 7, biases=biases))


@pytest.fixture
def ctrl_c():
    """Python's own handler, which is not there where the tests are started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_a_long_search_ends_soon_after_ctrl_c(monkeypatch):
    calls = []

    class Interrupting:
        def top_k(self, *arguments):
            calls.append(arguments)
            signal.raise_signal(signal.SIGINT)

        top_k_asymmetric = top_k_biased = top_k

    monkeypatch.setattr(native_module, "_WORDS_A_CALL", 1)
    data = make_database(np.random.default_rng(8), 300, 20, n_queries=400)
    table = native_module.NativeTable(Interrupting(), "any")
    with pytest.raises(KeyboardInterrupt):
        table.top_k(data.planes, data.live, data.queries, 7, ids=None, n_threads=1)
    assert len(calls) == 1
    weights = np.ones((400, 20), np.int8)
    biases = Biases(np.ones(400), np.zeros(len(data.planes) * 512, np.float32), np.zeros(len(data.planes), np.float32))
    for search, options in ((table.top_k_asymmetric, {}), (table.top_k_biased, {"biases": biases})):
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            search(data.planes, data.live, weights, 7, ids=None, n_threads=1, **options)
        assert len(calls) == 1


def test_ids_that_are_not_aligned_are_taken_and_planes_are_refused(native):
    data = make_database(np.random.default_rng(9), 600, 20)
    ids = misaligned(np.arange(600)[::-1])
    expected = numpy_twin.top_k(data.planes, data.live, data.queries, 30, ids=ids)
    assert_same(native.top_k(data.planes, data.live, data.queries, 30, ids=ids), expected)
    with pytest.raises(InvalidInputError, match="aligned"):
        native.top_k(misaligned(data.planes), data.live, data.queries, 1)


def misaligned(array):
    """Return a copy that starts at an odd address."""
    copy = np.empty(array.nbytes + 1, dtype=np.uint8)[1:].view(array.dtype).reshape(array.shape)
    copy[:] = array
    return copy


@pytest.mark.parametrize("n_threads", [2000, 2**31, 10**30])
def test_more_threads_than_make_sense_give_the_same(native, n_threads):
    data = make_database(np.random.default_rng(10), 600, 20)
    expected = numpy_twin.top_k(data.planes, data.live, data.queries, 30)
    assert_same(native.top_k(data.planes, data.live, data.queries, 30, n_threads=n_threads), expected)
