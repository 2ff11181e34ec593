"""Counts by distance against the whole distance matrix."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, InvalidInputError, ShapeError
from hammingway.metrics import DistanceCounts, distance_counts


def random_codes(rng, n, n_bits):
    return Codes.from_bits(rng.integers(0, 2, (n, n_bits)))


def counts_of_matrix(queries, database, relevant):
    """Count by comparing every pair of unpacked codes."""
    distances = (queries.unpack()[:, None] != database.unpack()[None]).sum(axis=2)
    every = range(queries.n_bits + 1)
    return (
        np.stack([((distances == d) & relevant).sum(axis=1) for d in every], axis=1),
        np.stack([(distances == d).sum(axis=1) for d in every], axis=1),
    )


def relevances(rng, n_queries, n_database):
    """Return one argument of each form, with the matrix of relevant pairs it stands for."""
    labels = rng.integers(-2, 3, n_queries), rng.integers(-2, 3, n_database)
    names = np.array(["ape", "bee", "cow", "doe", "elk"])
    words = names[labels[0] + 2], names[labels[1] + 2]
    multi = rng.random((n_queries, 6)) < 0.2, (rng.random((n_database, 6)) < 0.2).astype(np.int8)
    truth = np.stack([rng.permutation(n_database)[:5] for _ in range(n_queries)])
    same = labels[0][:, None] == labels[1][None]
    shared = (multi[0][:, None] & (multi[1][None] == 1)).any(axis=2)
    listed = (truth[:, :, None] == np.arange(n_database)).any(axis=1)
    return {"labels": (labels, same), "words": (words, same), "multi": (multi, shared), "truth": (truth, listed)}


@pytest.mark.parametrize("form", ["labels", "words", "multi", "truth"])
@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 63, 64, 65, 300])
def test_counts_are_those_of_the_whole_matrix(n_bits, form):
    rng = np.random.default_rng(n_bits)
    queries, database = random_codes(rng, 9, n_bits), random_codes(rng, 31, n_bits)
    argument, relevant = relevances(rng, 9, 31)[form]
    counts = distance_counts(queries, database, argument)
    expected_relevant, expected_total = counts_of_matrix(queries, database, relevant)
    assert_array_equal(counts.relevant, expected_relevant)
    assert_array_equal(counts.total, expected_total)
    assert counts.n_bits == n_bits


@pytest.mark.parametrize("form", ["labels", "multi", "truth"])
def test_every_chunking_and_thread_count_gives_the_same_counts(form):
    rng = np.random.default_rng(5)
    queries, database = random_codes(rng, 23, 20), random_codes(rng, 101, 20)
    argument, _ = relevances(rng, 23, 101)[form]
    own = rng.integers(-1, 101, 23)
    whole = distance_counts(queries, database, argument, own_rows=own)
    for chunk_bytes in (1, 50, 333, 1000, 1 << 30):
        for n_threads in (1, 2):
            part = distance_counts(
                queries, database, argument, own_rows=own, chunk_bytes=chunk_bytes, n_threads=n_threads
            )
            assert_array_equal(part.relevant, whole.relevant)
            assert_array_equal(part.total, whole.total)


@pytest.mark.parametrize("form", ["labels", "multi", "truth"])
def test_own_rows_count_as_if_that_row_were_not_in_the_database(form):
    rng = np.random.default_rng(6)
    database = random_codes(rng, 40, 12)
    own = rng.permutation(40)[:10]
    queries = database[own]
    argument, relevant = relevances(rng, 10, 40)[form]
    counts = distance_counts(queries, database, argument, own_rows=own)
    for query, row in enumerate(own):
        others = np.delete(np.arange(40), row)
        expected = counts_of_matrix(
            queries[query : query + 1], database[others], relevant[query : query + 1][:, others]
        )
        assert_array_equal(counts.relevant[query], expected[0][0])
        assert_array_equal(counts.total[query], expected[1][0])


def test_an_own_row_of_minus_one_leaves_nothing_out():
    rng = np.random.default_rng(7)
    queries, database = random_codes(rng, 4, 9), random_codes(rng, 8, 9)
    labels = ([0, 1, 0, 1], [0, 1] * 4)
    with_none = distance_counts(queries, database, labels, own_rows=[-1] * 4)
    assert_array_equal(with_none.total, distance_counts(queries, database, labels).total)


def test_progress_tells_the_queries_done():
    rng = np.random.default_rng(8)
    seen = []
    queries, database = random_codes(rng, 5, 16), random_codes(rng, 10, 16)
    labels = (np.zeros(5, dtype=int), np.zeros(10, dtype=int))
    distance_counts(queries, database, labels, chunk_bytes=40, progress=lambda *told: seen.append(told))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_no_queries_or_no_database_give_empty_counts():
    none, some = Codes(np.empty((0, 2), np.uint8), 11), Codes.from_bits(np.ones((3, 11), dtype=bool))
    ids = np.empty(0, dtype=int)
    assert distance_counts(none, some, (ids, [1, 1, 1])).total.shape == (0, 12)
    counts = distance_counts(some, none, ([1, 1, 1], ids))
    assert counts.total.sum() == 0 and counts.n_queries_without_relevant == 3


def test_strided_and_read_only_inputs_are_counted_alike():
    rng = np.random.default_rng(9)
    queries, database = random_codes(rng, 6, 24), random_codes(rng, 20, 24)
    labels = rng.integers(0, 3, 12)[::2], rng.integers(0, 3, 40)[::2]
    for array in (queries.packed, database.packed, *labels):
        array.flags.writeable = False
    assert_array_equal(
        distance_counts(queries, database, labels).relevant,
        distance_counts(queries, database, (labels[0].copy(), labels[1].copy())).relevant,
    )


def test_widths_must_agree():
    rng = np.random.default_rng(10)
    with pytest.raises(CodeWidthError, match="8 bits and the database 16"):
        distance_counts(random_codes(rng, 2, 8), random_codes(rng, 2, 16), ([0, 0], [0, 0]))


@pytest.mark.parametrize(
    ("relevant", "error", "message"),
    [
        (([0, 1], [0, 1]), ShapeError, "one label a code"),
        (([0, 1, 2],), ShapeError, "must be a pair"),
        ((0, 1), ShapeError, "one label a code"),
        (([0, 1, 2], np.zeros((4, 3))), ShapeError, "on both sides"),
        ((np.zeros((3, 1)), np.zeros((4, 1))), ShapeError, "Flatten a single column"),
        ((np.zeros((3, 2)), np.zeros((4, 3))), ShapeError, "on both sides"),
        (([0.0, 1.0, np.nan], [0, 1, 2, 3]), InvalidInputError, "integers or strings"),
        ((np.array([["a", "b"]] * 3), np.zeros((4, 2))), InvalidInputError, "0/1 indicators"),
        ((np.full((3, 2), np.nan), np.zeros((4, 2))), InvalidInputError, "0/1 indicators"),
        ([[0], [1]], ShapeError, "n_true >= 1"),
        ([[0], [1], [4]], InvalidInputError, "rows of the database, 0 to 3; got 4"),
        ([[0], [1], [-1]], InvalidInputError, "must not be negative"),
        ([[0, 1], [1, 2], [3, 3]], InvalidInputError, "name one id twice"),
        ([[0.0], [1.0], [2.0]], InvalidInputError, "integer ids"),
    ],
)
def test_relevance_that_does_not_fit_is_refused(relevant, error, message):
    rng = np.random.default_rng(11)
    with pytest.raises(error, match=message):
        distance_counts(random_codes(rng, 3, 8), random_codes(rng, 4, 8), relevant)


@pytest.mark.parametrize(
    ("own_rows", "error"),
    [
        ([0, 1], ShapeError),
        ([0.0, 1.0, 2.0], ShapeError),
        ([0, 1, 4], InvalidInputError),
        ([0, 1, -2], InvalidInputError),
    ],
)
def test_own_rows_that_are_no_rows_are_refused(own_rows, error):
    rng = np.random.default_rng(12)
    with pytest.raises(error, match="own_rows must be"):
        distance_counts(random_codes(rng, 3, 8), random_codes(rng, 4, 8), ([0] * 3, [0] * 4), own_rows=own_rows)


def test_a_chunk_of_no_bytes_is_refused():
    codes = Codes.from_bits([[0, 1]])
    with pytest.raises(InvalidInputError, match="chunk_bytes must be at least 1"):
        distance_counts(codes, codes, ([0], [0]), chunk_bytes=0)


@pytest.mark.parametrize(
    ("relevant", "total", "error"),
    [
        ([[1, 0]], [[1, 0, 0]], ShapeError),
        ([1, 0], [1, 0], ShapeError),
        ([[1]], [[1]], ShapeError),
        ([[2, 0]], [[1, 0]], InvalidInputError),
        ([[-1, 0]], [[1, 0]], InvalidInputError),
        ([[0.5, 0]], [[1, 0]], InvalidInputError),
    ],
)
def test_counts_that_cannot_be_are_refused(relevant, total, error):
    with pytest.raises(error):
        DistanceCounts(np.array(relevant), np.array(total))


def test_counts_can_be_selected_by_query():
    counts = DistanceCounts(np.array([[1, 0], [0, 2], [0, 0]]), np.array([[1, 1], [1, 2], [3, 0]]))
    assert len(counts[1:]) == 2 and counts[counts.n_relevant > 1].n_relevant.tolist() == [2]
    assert counts.n_items.tolist() == [2, 3, 3] and counts.n_queries_without_relevant == 1


@pytest.mark.parametrize(
    ("one", "other"), [(np.array([1]), np.array(["1"])), (np.array([b"a"]), np.array(["a"])), ([True], ["True"])]
)
def test_numbers_and_texts_are_never_taken_for_the_same_label(one, other):
    code = Codes.from_bits([[0]])
    for labels in ((one, other), (other, one)):
        with pytest.raises(InvalidInputError, match="both be integers or both strings"):
            distance_counts(code, code, labels)


@pytest.mark.parametrize(("one", "other"), [(2**53 + 1, 2**53), (-1, 2**64 - 1), (2**62 + 1, 2**62)])
def test_signed_and_unsigned_labels_are_compared_exactly(one, other):
    code = Codes.from_bits([[0], [0]])
    labels = np.array([one, 7], np.int64), np.array([other, 7], np.uint64)
    assert distance_counts(code, code, labels).relevant.tolist() == [[0, 0], [1, 0]]
    assert distance_counts(code, code, labels[::-1]).relevant.tolist() == [[0, 0], [1, 0]]
