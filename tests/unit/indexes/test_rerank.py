"""Re-ranking: Python's exact sums are the oracle, and nothing but the vectors decides."""

from __future__ import annotations

import math
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.indexes import FlatIndex, Originals, rerank

METRICS = ["cosine", "inner-product", "euclidean"]
DTYPES = [np.float64, np.float32, np.float16, np.int8, np.uint8]
WIDTHS = [1, 7, 8, 9, 63, 64, 65]
MODULE = import_module("hammingway.indexes.rerank")


def distance(query, original, metric):
    """Return the distance of one pair, correctly rounded at every step but the last two."""
    query, original = [float(x) for x in query], [float(x) for x in original]
    product = math.fsum(a * b for a, b in zip(query, original, strict=True))
    if metric == "euclidean":
        return math.dist(query, original)
    if metric == "inner-product":
        return -product
    norms = math.hypot(*query) * math.hypot(*original)
    return 1 - product / norms if norms else 1.0


def vectors(rng, n, d, dtype):
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=(n, d)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, size=(n, d), endpoint=True, dtype=dtype)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def mapped(tmp_path, rng):
    """Return a read-only memory map, float16 (2000, 24)."""
    np.save(tmp_path / "originals.npy", vectors(rng, 2000, 24, np.float16))
    return np.load(tmp_path / "originals.npy", mmap_mode="r")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", WIDTHS)
def test_distances_and_order_are_those_of_exact_sums(rng, d, dtype, metric):
    originals, queries = vectors(rng, 30, d, dtype), vectors(rng, 4, d, np.float32)
    candidates = np.array([rng.permutation(30)[:12] for _ in queries])
    found = rerank(candidates, queries, originals, 12, metric=metric)
    for query, listed, (ids, distances) in zip(queries, candidates, found, strict=True):
        assert sorted(ids) == sorted(listed)
        assert_allclose(distances, [distance(query, originals[i], metric) for i in ids], rtol=1e-12, atol=1e-12)
        assert np.all(np.diff(distances) >= 0)


@pytest.mark.parametrize("metric", METRICS)
def test_all_rows_as_candidates_give_the_exact_neighbours(rng, metric):
    from hammingway.bench.truth import exact_neighbors

    originals, queries = vectors(rng, 300, 16, np.float32), vectors(rng, 9, 16, np.float32)
    ids, distances = exact_neighbors(queries, originals, 20, metric=metric)
    found = rerank(np.tile(np.arange(300), (9, 1)), queries, originals, 20, metric=metric)
    assert_array_equal(found.ids, ids)
    assert_array_equal(found.distances.astype(np.float32), distances)


@pytest.mark.parametrize("metric", METRICS)
def test_bits_of_the_answer_depend_on_no_chunk_block_thread_or_other_candidate(rng, mapped, metric, monkeypatch):
    queries = vectors(rng, 40, 24, np.float32)
    candidates = rng.integers(-1, 2000, size=(40, 50))
    whole = rerank(candidates, queries, mapped, 50, metric=metric, n_threads=1)
    for chunk, block, n_threads in ((24, 1, 1), (100, 333, 3), (7, 10**6, 8)):
        monkeypatch.setattr(MODULE, "_CHUNK_ELEMENTS", chunk)
        monkeypatch.setattr(MODULE, "_BLOCK_PAIRS", block)
        other = rerank(candidates, queries, mapped, 50, metric=metric, n_threads=n_threads)
        assert_array_equal(other.ids, whole.ids)
        assert_array_equal(other.distances, whole.distances)
    for i, (ids, distances) in enumerate(whole):
        alone = rerank(ids[:1, np.newaxis], queries[i : i + 1], mapped, 1, metric=metric)
        assert alone.distances[0, 0] == distances[0]


def test_array_layouts_give_one_answer(rng, mapped):
    queries, candidates = vectors(rng, 5, 24, np.float64), rng.integers(0, 2000, size=(5, 30))
    expected = rerank(candidates, queries, mapped, 10)
    layouts = np.asfortranarray(mapped), np.repeat(mapped, 2, axis=0)[::2], mapped.astype(">f4")
    for other in layouts:
        found = rerank(np.asfortranarray(candidates), queries[:, ::-1].copy()[:, ::-1], other, 10)
        assert_array_equal(found.ids, expected.ids)
        assert_array_equal(found.distances, expected.distances)


def test_equal_distances_come_in_id_order_and_a_repeated_candidate_once():
    originals = np.ones((6, 3), np.float32)
    found = rerank([[5, 2, 5, 4, 2, -1]], [[1, 2, 3]], originals, 6)
    assert_array_equal(found.ids, [[2, 4, 5, -1, -1, -1]])
    assert_array_equal(np.isinf(found.distances), [[False] * 3 + [True] * 3])


@pytest.mark.parametrize(("n_queries", "c"), [(0, 0), (0, 5), (3, 0)])
def test_no_candidates_give_empty_places(n_queries, c):
    candidates, queries = np.full((n_queries, c), -1), np.ones((n_queries, 2))
    found = rerank(candidates, queries, np.ones((4, 2)), 3)
    assert_array_equal(found.ids, np.full((n_queries, 3), -1))
    assert_array_equal(found.distances, np.full((n_queries, 3), np.inf))


def test_index_without_codes_needs_no_originals():
    found = FlatIndex(8).search(Codes.from_bits(np.ones((2, 8), np.uint8)), k=4)
    assert_array_equal(rerank(found.ids, np.ones((2, 3)), np.empty((0, 3), np.float32), 4).ids, np.full((2, 4), -1))


def test_zero_vectors_have_cosine_zero():
    found = rerank([[0, 1, 2]], [[1.0, 0.0]], [[-1.0, 0.0], [0.0, 0.0], [2.0, 0.0]], 3)
    assert_array_equal(found.ids, [[2, 1, 0]])
    assert_array_equal(found.distances, [[0.0, 1.0, 2.0]])
    assert_array_equal(rerank([[1, 0]], [[0.0, 0.0]], [[1.0, 2.0], [3.0, 4.0]], 2).distances, [[1.0, 1.0]])


def test_ids_and_rows_lead_to_the_same_originals(rng):
    originals, queries = vectors(rng, 5, 4, np.float32), vectors(rng, 3, 4, np.float32)
    plain = rerank([[0, 3, 1]] * 3, queries, originals, 3)
    ids = np.array([9, 2, 7, 4, 2**40])
    by_id = rerank([[9, 4, 2]] * 3, queries, Originals(originals, ids=ids), 3)
    rows = np.array([-1, -1, 1, -1, 3, -1, -1, 2, -1, 0])
    by_row = rerank([[9, 4, 2]] * 3, queries, Originals(originals, rows=rows), 3)
    assert_array_equal(by_id.distances, plain.distances)
    assert_array_equal(by_id.ids, ids[plain.ids])
    assert_array_equal(by_row.ids, by_id.ids)
    assert rerank([[2**40]], queries[:1], Originals(originals, ids=ids), 1).ids[0, 0] == 2**40


@pytest.mark.parametrize(
    ("given", "unknown"),
    [({}, 5), ({"ids": [9, 2, 7, 4, 11]}, 5), ({"rows": [0, -1, 1]}, 1), ({"rows": [0, -1, 1]}, 2**62)],
)
def test_candidate_without_an_original_is_named(given, unknown):
    with pytest.raises(InvalidInputError, match=rf"^id {unknown} without an original"):
        rerank([[unknown, -1]], np.ones((1, 2)), Originals(np.ones((5, 2)), **given), 1)


@pytest.mark.parametrize("metric", METRICS)
def test_scaled_int8_is_as_the_decoded_floats(rng, metric):
    stored, queries = vectors(rng, 50, 8, np.int8), vectors(rng, 4, 8, np.float32)
    candidates = np.tile(np.arange(50), (4, 1))
    row, column, shift = rng.uniform(0.01, 1, size=50), rng.uniform(0.01, 1, size=(1, 8)), rng.normal(size=(1, 8))
    for scale, offset, decoded in (
        (0.25, 0, stored * 0.25),
        (row, 0, stored * row[:, np.newaxis]),
        (row[:, np.newaxis], 2.5, stored * row[:, np.newaxis] + 2.5),
        (column, shift, stored * column + shift),
    ):
        found = rerank(candidates, queries, Originals(stored, scale=scale, offset=offset), 10, metric=metric)
        expected = rerank(candidates, queries, decoded, 10, metric=metric)
        assert_array_equal(found.ids, expected.ids)
        assert_array_equal(found.distances, expected.distances)


def test_square_originals_keep_rows_and_columns_apart(rng):
    stored, factors = vectors(rng, 6, 6, np.int8), rng.uniform(1, 2, size=6)
    rows = np.arange(6)
    assert_array_equal(Originals(stored, scale=factors).read(rows), stored * factors[:, np.newaxis])
    assert_array_equal(Originals(stored, scale=factors[np.newaxis]).read(rows), stored * factors)


def test_int8_of_sentence_transformers_is_decoded_to_within_a_step(rng):
    originals = rng.normal(size=(200, 12)).astype(np.float32)
    ranges = np.stack([originals.min(axis=0), originals.max(axis=0)])
    steps = (ranges[1] - ranges[0]) / 255
    stored = ((originals - ranges[0]) / steps - 128).astype(np.int8)  # as quantize_embeddings does
    decoded = Originals.from_int8_ranges(stored, ranges, ids=np.arange(200)).read(np.arange(200))
    assert np.all(np.abs(decoded - originals) <= steps * 1.001)


def test_memory_stays_bounded_however_large_the_file(tmp_path, rng):
    originals = np.lib.format.open_memmap(tmp_path / "big.npy", "w+", np.float32, (40_000, 512))
    queries = rng.normal(size=(3, 512))
    candidates = np.tile(np.arange(40_000), (3, 1))
    tracemalloc.start()
    rerank(candidates, queries, originals, 5, n_threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert originals.nbytes > 80e6
    assert peak < 120 * candidates.size + 10e6  # a few numbers a candidate, and two threads' chunks


class Recorder(Originals):
    """Originals that keep which rows each read asked for."""

    def read(self, rows):
        self.asked.append(rows)
        return super().read(rows)


def test_rows_are_read_once_each_in_the_order_of_the_file(rng):
    originals = Recorder(vectors(rng, 500, 4, np.float32))
    originals.asked = []
    candidates = rng.integers(0, 500, size=(20, 60))
    rerank(candidates, vectors(rng, 20, 4, np.float32), originals, 5, n_threads=1)
    assert_array_equal(np.concatenate(originals.asked), np.unique(candidates))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_original_that_is_not_finite_is_named_by_its_row(metric, value):
    originals = np.ones((5, 2))
    originals[3, 1] = value
    if value == 1e300 and metric == "inner-product":
        assert rerank([[0, 3]], [[1.0, 1.0]], originals, 1, metric=metric).ids[0, 0] == 3
        return
    with pytest.raises(InvalidInputError, match=r"^row 3 of the originals"):
        rerank([[0, 3]], [[1.0, 1.0]], originals, 1, metric=metric)
    assert rerank([[0, 2]], [[1.0, 1.0]], originals, 1, metric=metric).ids[0, 0] == 0


ONES = np.ones((2, 3))


@pytest.mark.parametrize(
    ("error", "match", "arguments", "options"),
    [
        (ShapeError, "candidates must have shape", ([0, 1], ONES, ONES, 1), {}),
        (ShapeError, "one row a query", ([[0]], ONES, ONES, 1), {}),
        (ShapeError, r"queries must have shape \(n_queries, 3\)", ([[0]] * 2, np.ones((2, 4)), ONES, 1), {}),
        (InvalidInputError, "candidates must be integers", ([[0.5]] * 2, ONES, ONES, 1), {}),
        (InvalidInputError, "candidates must be ids or -1; got -2", ([[-2]] * 2, ONES, ONES, 1), {}),
        (InvalidInputError, "queries must be integers or floats", ([[0]] * 2, [["a"] * 3] * 2, ONES, 1), {}),
        (InvalidInputError, "queries hold NaN", ([[0]] * 2, ONES * np.nan, ONES, 1), {}),
        (InvalidInputError, "infinity", ([[0]] * 2, ONES * np.finfo(np.longdouble).max, ONES, 1), {}),
        (InvalidInputError, "k must be a whole number from 1", ([[0]] * 2, ONES, ONES, 0), {}),
        (InvalidInputError, "metric must be one of", ([[0]] * 2, ONES, ONES, 1), {"metric": "hamming"}),
        (InvalidInputError, "n_threads must be", ([[0]] * 2, ONES, ONES, 1), {"n_threads": 0}),
        (ShapeError, "originals must have shape", ([[0]] * 2, ONES, np.ones(3), 1), {}),
    ],
)
def test_wrong_arguments_are_refused(error, match, arguments, options):
    with pytest.raises(error, match=match):
        rerank(*arguments, **options)


@pytest.mark.parametrize(
    ("error", "match", "given"),
    [
        (ShapeError, "scale must be one number", {"scale": np.ones(3)}),
        (ShapeError, "offset must be one number", {"offset": np.ones(2)}),
        (InvalidInputError, "scale must be finite", {"scale": np.nan}),
        (InvalidInputError, "give one of them", {"ids": [0, 1], "rows": [0, 1]}),
        (InvalidInputError, "more than once", {"ids": [4, 4]}),
        (ShapeError, "need 2 ids", {"ids": [4]}),
        (InvalidInputError, "rows must lie from -1 to 1", {"rows": [0, 2]}),
        (ShapeError, "rows must be integers", {"rows": [0.0]}),
    ],
)
def test_wrong_originals_are_refused(error, match, given):
    with pytest.raises(error, match=match):
        Originals(np.ones((2, 3)), **given)


def test_ranges_of_other_vectors_are_refused():
    with pytest.raises(InvalidInputError, match="must be int8"):
        Originals.from_int8_ranges(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"ranges must have shape \(2, d\)"):
        Originals.from_int8_ranges(np.ones((2, 3), np.int8), np.ones((3, 2)))
