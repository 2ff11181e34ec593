"""The native tables give what their NumPy twin gives: results, radius, probes and candidates."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.kernels import probing_twin
from hammingway.kernels.backends import native_module
from hammingway.kernels.probing import NativeProbing, Tabled, words_of

pytestmark = pytest.mark.skipif(native_module() is None, reason="there is no native module to compare")
GENEROUS = (1, 1, 1, 10**6, 10**7)


class Database:
    """Clustered codes with duplicates and dead slots, and queries near them."""

    def __init__(self, n_bits, *, n=600, seed=0, shuffled=False):
        rng = np.random.default_rng([seed, n_bits])
        centres = rng.integers(0, 2, (20, n_bits))
        bits = centres[rng.integers(0, 20, n + 6)] ^ (rng.random((n + 6, n_bits)) < 0.08)
        words = words_of(np.packbits(bits.astype(np.uint8), axis=1, bitorder="little"))
        self.n_bits, self.rows, self.queries = n_bits, words[:n], words[n:]
        alive = np.zeros(-(-n // 512) * 512, np.uint8)
        alive[:n] = rng.random(n) < 0.9
        self.live = np.packbits(alive, bitorder="little").view("<u8").astype(np.uint64).reshape(-1, 8)
        self.slots = np.flatnonzero(alive)
        self.ids = rng.permutation(5 * n)[: len(alive)].astype(np.int64) if shuffled else None

    def ranking(self, query):
        """Return the live slots by (distance, id) and their distances."""
        distances = np.bitwise_count(self.rows[self.slots] ^ query).sum(axis=1)
        order = np.lexsort((self.slots if self.ids is None else self.ids[self.slots], distances))
        return self.slots[order], distances[order]

    def tables(self, backend, keys, *, last=None):
        return [backend.Table(self.rows, key, 0, len(self.rows) if last is None else last) for key in keys]

    def call(self, function, tables, number, **options):
        tabled = Tabled(tables, self.rows, self.live, self.ids)
        return function(tabled, self.queries, number, n_threads=2, **options)


def agree(native, twin):
    for one, other in zip(native, twin, strict=True):
        assert_array_equal(one, other, strict=True)


def substrings(n_bits, n_tables):
    return [part.tolist() for part in np.array_split(np.arange(n_bits), n_tables)]


@pytest.mark.parametrize(("n_bits", "n_tables"), [(1, 1), (7, 2), (8, 8), (9, 1), (63, 7), (64, 9), (65, 8), (130, 14)])
@pytest.mark.parametrize("costs", [(1, 1, 1, 2000, 10**6), (3, 2, 1, 900, 3000), (1, 1, 1, 100, 100)])
def test_multi_index_probing_equals_the_twin(n_bits, n_tables, costs):
    data, keys = Database(n_bits, shuffled=n_bits % 2 == 1), substrings(n_bits, n_tables)
    native = NativeProbing(native_module())
    for last in (None, 550):
        tables, twins = data.tables(native, keys, last=last), data.tables(probing_twin, keys, last=last)
        for k in (1, 10):
            answer = data.call(native.probe_top_k, tables, k, costs=costs)
            agree(answer, data.call(probing_twin.probe_top_k, twins, k, costs=costs))
        for radius in (0, 2):
            answer = data.call(native.probe_within, tables, radius, costs=costs)
            agree(answer, data.call(probing_twin.probe_within, twins, radius, costs=costs))


@pytest.mark.parametrize(("n_bits", "n_tables"), [(1, 1), (7, 2), (8, 3), (9, 4)])
@pytest.mark.parametrize("backend", ["native", "twin"])
def test_asking_for_more_codes_than_live_ends_with_all_of_them(backend, n_bits, n_tables):
    data = Database(n_bits)
    functions = NativeProbing(native_module()) if backend == "native" else probing_twin
    tables = data.tables(functions, substrings(n_bits, n_tables))
    slots, distances, radius, *_ = data.call(functions.probe_top_k, tables, 650, costs=GENEROUS)
    n = len(data.slots)
    for row, query in enumerate(data.queries):
        expected, expected_distances = data.ranking(query)
        assert_array_equal(slots[row, :n], expected)
        assert_array_equal(distances[row, :n], expected_distances)
    assert (slots[:, n:] == -1).all()
    assert_array_equal(radius, np.full(len(data.queries), n_bits))


@pytest.mark.parametrize("n_tables", [1, 2, 3, 5])
def test_probing_that_does_not_give_up_is_the_ranking(n_tables):
    data = Database(11, shuffled=True)
    native = NativeProbing(native_module())
    slots, distances, radius, _, _ = data.call(
        native.probe_top_k, data.tables(native, substrings(11, n_tables)), 25, costs=GENEROUS
    )
    for row, query in enumerate(data.queries):
        true_slots, true_distances = data.ranking(query)
        assert_array_equal(slots[row], true_slots[:25])
        assert_array_equal(distances[row], true_distances[:25])
        assert radius[row] >= true_distances[24]


def test_what_was_given_up_cost_no_more_than_allowed():
    data = Database(64)
    native = NativeProbing(native_module())
    costs = (5, 3, 1, 300, 450)
    _, _, radius, probes, candidates = data.call(
        native.probe_top_k, data.tables(native, substrings(64, 6)), 10, costs=costs
    )
    assert 0 < (radius < 0).sum() < len(radius)
    spent = probes * costs[0] + candidates * costs[1]
    assert spent[radius < 0].max() <= 2 * costs[3]
    assert spent[radius >= 0].max(initial=0) <= costs[4]


@pytest.mark.parametrize("key_bits", [[0], [5, 2, 11], list(range(13)), list(range(3, 60)), list(range(64))[::-1]])
@pytest.mark.parametrize("confident", [False, True])
@pytest.mark.parametrize("limits", [(64, 300, 10**9), (2, 200, 10**9), (64, 300, 37), (0, 5, 5), (64, 1, 1)])
def test_look_up_equals_the_twin(key_bits, confident, limits):
    data = Database(65, shuffled=True)
    rng = np.random.default_rng(1)
    weights = np.round(np.abs(rng.normal(size=(len(data.queries), len(key_bits)))), 1) if confident else None
    native = NativeProbing(native_module())
    backends = [(native, (300, 600)), (probing_twin, (600,))]
    answers = []
    for backend, ends in backends:
        starts = (0, *ends[:-1])
        tables = [backend.Table(data.rows, key_bits, *part) for part in zip(starts, ends, strict=True)]
        answers.append(
            [
                *data.call(backend.lookup_top_k, tables, 20, weights=weights, limits=limits),
                *data.call(backend.lookup_within, tables, 9, weights=weights, limits=limits),
            ]
        )
    agree(*answers)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("max_flips", [0, 2, 8])
def test_keys_come_in_increasing_order_of_confidence(seed, max_flips):
    weights = np.round(np.abs(np.random.default_rng(seed).normal(size=8)), 1)
    order = np.argsort(weights, kind="stable")
    sets = chain.from_iterable(combinations(range(8), size) for size in range(max_flips + 1))
    by_sum = sorted((sum(float(weights[order[i]]) for i in each), sum(1 << i for i in each), each) for each in sets)
    expected = [sum(1 << int(order[i]) for i in each) for _, _, each in by_sum]
    assert list(probing_twin.by_confidence(weights, max_flips)) == expected


def test_every_key_is_probed_once_in_the_order_of_confidence():
    n_bits = 10
    rows = np.arange(1 << n_bits, dtype=np.uint64)[:, None]
    live = np.full((2, 8), ~np.uint64(0))
    weights = np.random.default_rng(3).random((1, n_bits))
    native = NativeProbing(native_module())
    table = native.Table(rows, list(range(n_bits)), 0, len(rows))
    order = list(probing_twin.by_confidence(weights[0], n_bits))
    for n_probes in (1, 17, 500, 1023):
        slots, _, offsets, _, probes, _ = native.lookup_within(
            Tabled([table], rows, live, None),
            np.zeros((1, 1), np.uint64),
            n_bits,
            weights=weights,
            limits=(n_bits, n_probes, 10**9),
            n_threads=1,
        )
        assert_array_equal(np.sort(slots), np.sort(order[:n_probes]))
        assert (probes[0], offsets[1]) == (n_probes, n_probes)


def test_tables_and_arrays_that_do_not_belong_together_are_refused():
    data, native = Database(20), NativeProbing(native_module())
    table = native.Table(data.rows, [0, 1], 0, 600)
    empty = np.zeros((1, 1), np.uint64)
    with pytest.raises(ValueError, match="past the last row"):
        native.lookup_within(
            Tabled([table], empty, data.live, None), empty, 1, weights=None, limits=(1, 1, 1), n_threads=1
        )
    for bits in ([], [64], [-1], list(range(64)) * 2):
        with pytest.raises(ValueError, match="key bit"):
            native.Table(data.rows, bits, 0, 600)
    with pytest.raises(ValueError, match="slots of the rows"):
        native.Table(data.rows, [0], 0, 601)
