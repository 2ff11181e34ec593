import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.bench.truth import exact_neighbors
from hammingway.errors import InvalidInputError, ShapeError

METRICS = ["euclidean", "cosine", "inner-product"]


def reference(queries, database, k, metric):
    """Every pair by itself in double precision, ordered by (distance, id)."""
    queries, database = np.asarray(queries, np.float64), np.asarray(database, np.float64)
    ids = []
    for query in queries:
        distances = ((query - database) ** 2).sum(axis=1) if metric == "euclidean" else -(query * database).sum(axis=1)
        if metric == "cosine":
            lengths = np.linalg.norm(query) * np.linalg.norm(database, axis=1)
            distances = np.where(lengths > 0, distances / np.where(lengths > 0, lengths, 1), 0)
        ids.append(np.lexsort((np.arange(len(database)), distances))[:k])
    return np.array(ids)


@pytest.fixture
def vectors():
    rng = np.random.default_rng(7)
    return rng.normal(size=(13, 33)).astype(np.float32), rng.normal(size=(517, 33)).astype(np.float32)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_neighbors_equal_those_of_a_pair_by_pair_scan(vectors, metric, dtype):
    queries, database = (array.astype(dtype) for array in vectors)
    ids, distances = exact_neighbors(queries, database, 20, metric=metric)
    assert_array_equal(ids, reference(queries, database, 20, metric))
    assert ids.dtype == np.int64
    assert distances.dtype == np.float32
    assert np.all(np.diff(distances, axis=1) >= 0)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("chunk_rows", [1, 7, 64, 516, 517, 10_000])
def test_the_chunk_size_cannot_change_the_answer(vectors, metric, chunk_rows):
    whole = exact_neighbors(*vectors, 31, metric=metric)
    chunked = exact_neighbors(*vectors, 31, metric=metric, chunk_rows=chunk_rows)
    assert_array_equal(whole[0], chunked[0])
    assert_array_equal(whole[1], chunked[1])


def test_each_query_has_the_same_neighbors_alone_as_in_a_batch(vectors):
    queries, database = vectors
    together, _ = exact_neighbors(queries, database, 5)
    alone = np.concatenate([exact_neighbors(query[np.newaxis], database, 5)[0] for query in queries])
    assert_array_equal(together, alone)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("chunk_rows", [3, 100])
def test_ties_come_in_id_order(metric, chunk_rows):
    database = np.repeat(np.array([[3.0, 1.0], [1.0, 3.0]], np.float32), 20, axis=0)
    ids, _ = exact_neighbors([[1.0, 3.0]], database, 25, metric=metric, chunk_rows=chunk_rows)
    assert_array_equal(ids[0], [*range(20, 40), *range(5)])


def test_differences_below_single_precision_of_the_norms_still_decide():
    # All squared norms round to the same float32, so the fast product alone cannot order these rows.
    offsets = np.random.default_rng(3).permutation(200)
    database = np.zeros((200, 2), np.float32)
    database[:, 0] = 4096
    database[:, 1] = offsets / 1024
    ids, distances = exact_neighbors([[4096.0, 0.0]], database, 200, chunk_rows=32)
    assert_array_equal(offsets[ids[0]], np.arange(200))
    np.testing.assert_allclose(distances[0], np.arange(200) / 1024, rtol=1e-6)


def test_inner_product_distance_is_negative_and_cosine_distance_runs_from_zero():
    database = [[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    _, negative = exact_neighbors([[3.0, 0.0]], database, 3, metric="inner-product")
    _, cosine = exact_neighbors([[3.0, 0.0]], database, 3, metric="cosine")
    assert_array_equal(negative[0], np.array([-6, 0, 3], np.float32))
    assert_array_equal(cosine[0], np.array([0, 1, 2], np.float32))


def test_a_zero_vector_has_cosine_zero_with_everything():
    ids, distances = exact_neighbors([[1.0, 0.0]], [[0.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], 3, metric="cosine")
    assert_array_equal(ids[0], [1, 0, 2])
    assert distances[0, 1] == 1


def test_memory_mapped_strided_and_read_only_databases_give_the_same(vectors, tmp_path):
    queries, database = vectors
    expected, _ = exact_neighbors(queries, database, 9)
    np.save(tmp_path / "database.npy", database)
    mapped = np.load(tmp_path / "database.npy", mmap_mode="r")
    strided = np.repeat(database, 2, axis=1)[:, ::2]
    assert_array_equal(exact_neighbors(queries, mapped, 9, chunk_rows=50)[0], expected)
    assert_array_equal(exact_neighbors(queries, strided, 9)[0], expected)


def test_progress_reaches_the_number_of_rows(vectors):
    seen = []
    exact_neighbors(*vectors, 3, chunk_rows=100, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(100, 517), (200, 517), (300, 517), (400, 517), (500, 517), (517, 517)]


def test_no_queries_give_an_empty_answer(vectors):
    ids, distances = exact_neighbors(np.empty((0, 33)), vectors[1], 4)
    assert ids.shape == distances.shape == (0, 4)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e30])
def test_values_that_cannot_be_ranked_are_refused(vectors, wrong):
    queries, database = vectors
    database[300, 2] = wrong
    with pytest.raises(InvalidInputError, match=r"database hold NaN, infinity"):
        exact_neighbors(queries, database, 3, chunk_rows=100)


@pytest.mark.parametrize("k", [0, 518])
def test_k_beyond_the_database_is_refused(vectors, k):
    with pytest.raises(InvalidInputError, match="from 1 to the 517 rows"):
        exact_neighbors(*vectors, k)


def test_widths_that_differ_are_refused(vectors):
    with pytest.raises(ShapeError, match="same width"):
        exact_neighbors(vectors[0], vectors[1][:, :5], 3)


def test_an_unknown_metric_is_refused(vectors):
    with pytest.raises(InvalidInputError, match="euclidean, cosine, inner-product"):
        exact_neighbors(*vectors, 3, metric="manhattan")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosine_does_not_depend_on_the_scale_of_a_row(vectors, dtype):
    queries, database = (array.astype(dtype) for array in vectors)
    expected = exact_neighbors(queries, database, 20, metric="cosine")
    powers = np.random.default_rng(0).integers(-100 if dtype == np.float32 else -900, 50, len(database))
    scaled = np.ldexp(database, powers[:, np.newaxis].astype(np.int32))
    found = exact_neighbors(np.ldexp(queries, np.int32(-80)), scaled, 20, metric="cosine")
    assert_array_equal(found[0], expected[0])
    assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_values_whose_distances_would_overflow_are_refused(vectors, dtype):
    with pytest.raises(InvalidInputError, match="rescale"):
        exact_neighbors(vectors[0], np.full((5, 33), 2e16).astype(dtype), 2)
