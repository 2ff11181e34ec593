"""Each way in which published hashing numbers went wrong, and that ours do not go that way.

The wrong computation is written out beside ours, so that a test shows both the size of the error and its
absence.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import InvalidInputError
from hammingway.metrics import (
    DistanceCounts,
    average_precision,
    average_precision_at,
    average_precision_at_hits_only,
    code_entropy,
    distance_counts,
    expected_recall_at_k,
    mean_over_queries,
    ndcg,
    ndcg_at_k,
    precision_at_k,
    precision_within_radius,
    recall_at_k,
    recall_at_k_by_distance,
    recall_within_radius,
)


def random_codes(rng, n, n_bits):
    return Codes.from_bits(rng.integers(0, 2, (n, n_bits)))


def clustered(rng, labels, n_bits, flips):
    """Return codes that differ from their class centre in about a share ``flips`` of the bits."""
    centres = rng.integers(0, 2, (labels.max() + 1, n_bits)).astype(bool)
    return Codes.from_bits(centres[labels] ^ (rng.random((len(labels), n_bits)) < flips))


def hamming(queries, database):
    return (queries.unpack()[:, None] != database.unpack()[None]).sum(axis=2)


def plain_average_precision(distances, relevant):
    """AP of one ranking whose ties stay in database order, as a stable argsort leaves them."""
    flags = relevant[np.argsort(distances, kind="stable")]
    return np.sum(np.cumsum(flags) / np.arange(1, len(flags) + 1) * flags) / flags.sum()


def as_ranking(*flags):
    """Return the counts of one ranking without ties: its relevance flags, in order."""
    return DistanceCounts(np.array([flags]), np.ones((1, len(flags)), dtype=int))


def test_class_ids_are_compared_not_multiplied():
    """``dot(label_q, label_db) > 0`` on class ids makes all positive ids alike: random codes score .83."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 100), rng.integers(0, 10, 2000)
    queries, database = random_codes(rng, 100, 32), random_codes(rng, 2000, 32)
    ours = mean_over_queries(average_precision_at(distance_counts(queries, database, labels), 200))
    indicator = np.stack([labels[0] == 0, labels[0] > 0], axis=1), np.stack([labels[1] < 0, labels[1] > 0], axis=1)
    product = mean_over_queries(average_precision_at(distance_counts(queries, database, indicator), 200))
    assert product.mean > 0.8 and product.n_undefined == np.sum(labels[0] == 0) > 0
    assert ours.mean < 0.15 and ours.n_undefined == 0


def test_class_ids_in_a_column_are_not_taken_for_indicators():
    codes = Codes.from_bits([[0, 1], [1, 0]])
    with pytest.raises(InvalidInputError, match="for one class id an item use shape"):
        distance_counts(codes, codes, (np.array([[3, 1], [0, 1]]), np.array([[3, 1], [0, 1]])))


def test_shared_zero_bits_bring_codes_closer():
    """(n_bits - a.b) / 2 is the Hamming distance of -1/+1 codes; on 0/1 codes it ignores shared zeros."""
    query, database = Codes.from_bits([[0, 0, 0, 1]]), Codes.from_bits([[0, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 0]])
    half_dot_01 = (4 - query.unpack().astype(int) @ database.unpack().astype(int).T) / 2
    half_dot_signs = (4 - query.to_signs().astype(int) @ database.to_signs().astype(int).T) / 2
    assert half_dot_01[0, 0] == half_dot_01[0, 1]
    counts = distance_counts(query, database, ([1], [1, 0, 0]))
    assert_array_equal(counts.total[0], np.bincount(half_dot_signs[0].astype(int), minlength=5))
    assert average_precision(counts)[0] == 1.0


def test_missing_relevant_items_never_pays_with_the_min_denominator():
    """Hits-only prefers [+ - -] to [+ - +], and cannot tell [+ - -] from [+ + -]."""
    one, first_and_third, two = as_ranking(1, 0, 0, 1, 1), as_ranking(1, 0, 1, 0, 1), as_ranking(1, 1, 0, 0, 1)
    hits_only = [average_precision_at_hits_only(ranking, 3)[0] for ranking in (one, first_and_third, two)]
    assert hits_only[0] > hits_only[1] and hits_only[0] == hits_only[2] == 1.0
    ours = [average_precision_at(ranking, 3)[0] for ranking in (one, first_and_third, two)]
    assert ours[0] < ours[1] < ours[2] < 1.0


def test_the_order_of_the_database_moves_no_metric():
    """Plain AP of the same codes moves by points with the order of equals; ours not by a bit."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 60), np.sort(rng.integers(0, 4, 800))
    both = clustered(rng, np.concatenate(labels), 8, 0.25)
    queries, database = both[:60], both[60:]
    truth = np.stack([rng.permutation(800)[:10] for _ in range(60)])
    plain, ours = [], []
    for order in (np.arange(800), np.arange(800)[::-1], rng.permutation(800)):
        distances, relevant = hamming(queries, database[order]), labels[0][:, None] == labels[1][order]
        plain.append([plain_average_precision(d, r) for d, r in zip(distances, relevant, strict=True)])
        by_label = distance_counts(queries, database[order], (labels[0], labels[1][order]))
        by_truth = distance_counts(queries, database[order], np.argsort(order)[truth])
        ours.append(
            [
                average_precision(by_label),
                average_precision_at(by_label, 100),
                average_precision_at_hits_only(by_label, 100),
                precision_at_k(by_label, k=50),
                expected_recall_at_k(by_truth, k=100),
                ndcg(by_label),
                ndcg_at_k(by_truth, k=10),
                precision_within_radius(by_label, radius=2),
                recall_within_radius(by_label, radius=2),
                np.full(60, code_entropy(database[order])),
            ]
        )
    assert np.ptp(plain, axis=0).max() > 0.02
    assert_array_equal(ours[1], ours[0])
    assert_array_equal(ours[2], ours[0])


def test_a_query_inside_the_database_can_be_left_out_of_its_own_ranking():
    """It finds itself first, which lifts every score."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 20, 200)
    codes = random_codes(rng, 200, 64)
    leaking = distance_counts(codes[:50], codes, (labels[:50], labels))
    held_out = distance_counts(codes[:50], codes, (labels[:50], labels), own_rows=np.arange(50))
    assert mean_over_queries(precision_at_k(leaking, k=1)).mean == 1.0
    assert mean_over_queries(precision_at_k(held_out, k=1)).mean < 0.3
    assert_array_equal(held_out.n_items, 199)
    assert_array_equal(held_out.total[:, 0], leaking.total[:, 0] - 1)


def test_a_query_without_a_hit_counts_as_zero_and_is_not_skipped():
    hit, miss = as_ranking(1, 1, 0, 0), as_ranking(0, 0, 0, 1)
    counts = DistanceCounts(np.concatenate([hit.relevant, miss.relevant]), np.concatenate([hit.total, miss.total]))
    for function in (average_precision_at, average_precision_at_hits_only):
        result = mean_over_queries(function(counts, 2))
        assert (result.mean, result.n_used, result.n_undefined) == (0.5, 2, 0)


def test_a_query_that_nothing_could_answer_is_neither_zero_nor_hidden():
    counts = DistanceCounts(np.array([[1, 0], [0, 0]]), np.array([[1, 1], [1, 1]]))
    result = mean_over_queries(average_precision(counts))
    assert (result.mean, result.n_used, result.n_undefined) == (1.0, 1, 1)
    assert counts.n_queries_without_relevant == 1


def test_minus_one_does_not_mean_all():
    """A cut of -1 taken for "all" slices [0:-1] and drops the last item."""
    ranking = as_ranking(0, 0, 0, 1)
    assert ranking.relevant[0, 0:-1].sum() == 0
    for cut in (lambda: average_precision_at(ranking, -1), lambda: average_precision_at_hits_only(ranking, -1)):
        with pytest.raises(InvalidInputError, match="For the whole ranking use the metric without it"):
            cut()
    assert average_precision(ranking)[0] == 0.25


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_results_that_merely_score_alike_are_not_recalled(k):
    """Matching scores rounded to two decimals gives the ranks k+1 to 2k a third of the recall; it is 0."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(50, 32))
    vectors = centres[rng.integers(0, 50, 2050)] + 0.2 * rng.normal(size=(2050, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors[:50] @ vectors[50:].T
    ids = np.argsort(-scores, axis=1)[:, : 2 * k]
    distances = 1 - np.take_along_axis(scores, ids, axis=1)
    answer, exact = distances[:, k:].round(2), distances[:, :k].round(2)
    by_score = np.mean(
        [sum(value in row for value in row_answer) for row_answer, row in zip(answer, exact, strict=True)]
    )
    assert by_score / k > 0.2
    assert_array_equal(recall_at_k(ids[:, k:], ids[:, :k], k=k), np.zeros(50))
    assert_array_equal(recall_at_k_by_distance(distances[:, k:], distances[:, :k], k=k), np.zeros(50))


def test_one_bit_too_far_is_not_found_however_long_the_code():
    """An absolute tolerance of 1e-3 on the mean Hamming distance accepts one bit of a 1,024-bit code."""
    exact, found = np.array([[100, 200]]), np.array([[100, 201]])
    assert np.all(found / 1024 <= exact[:, -1:] / 1024 + 1e-3)
    assert recall_at_k_by_distance(found, exact, k=2)[0] == 0.5


@pytest.mark.parametrize("k", [2, 3, 5])
def test_ndcg_of_a_perfect_answer_is_one_and_no_more(k):
    """An "ideal" order that sorts ids instead of gains puts perfect answers above 1."""
    gains = np.arange(k, 0, -1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    by_ids = [gains @ discounts / (gains[np.argsort(-ids)] @ discounts) for ids in (np.arange(k), np.arange(k)[::-1])]
    assert max(by_ids) > 1.0
    assert ndcg_at_k(as_ranking(*[1] * k, 0, 0), k=k)[0] == ndcg(as_ranking(*[1] * k, 0, 0))[0] == 1.0


def test_ndcg_never_exceeds_one():
    rng = np.random.default_rng(4)
    total = rng.integers(0, 50, (500, 33))
    counts = DistanceCounts(rng.integers(0, total + 1), total)
    best_first = DistanceCounts(np.sort(counts.relevant)[:, ::-1], np.sort(counts.relevant)[:, ::-1])
    for k in (1, 10, 100, 10_000):
        assert np.nanmax(ndcg_at_k(counts, k=k)) <= 1.0
        assert np.nanmax(ndcg_at_k(best_first, k=k)) <= 1.0


def test_the_denominator_of_the_cut_is_not_the_whole_database():
    """mAP@R of a perfect first page is 1 though more is relevant: neither @all nor hits-only is meant."""
    ranking = as_ranking(1, 1, 0, 0, 1, 1)
    assert average_precision_at(ranking, 2)[0] == 1.0
    assert average_precision(ranking)[0] < 0.85
