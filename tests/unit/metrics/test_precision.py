"""Tie-aware metrics against every order of the ties, against chance, and against scikit-learn."""

from itertools import chain, permutations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway.errors import InvalidInputError
from hammingway.metrics import (
    DistanceCounts,
    average_precision,
    average_precision_at,
    average_precision_at_hits_only,
    expected_recall_at_k,
    ndcg,
    ndcg_at_k,
    precision_at_k,
)

# Each ranking is a list of tie groups (items, relevant items), nearest first.
RANKINGS = [
    [(1, 1)],
    [(1, 0), (1, 1)],
    [(2, 1)],
    [(4, 2), (3, 1)],
    [(3, 0), (4, 3), (1, 1)],
    [(0, 0), (5, 2), (0, 0), (2, 2)],
    [(1, 1), (4, 1), (3, 2), (1, 0)],
    [(6, 3)],
    [(6, 6)],
    [(6, 1), (2, 0)],
    [(2, 0), (2, 2), (2, 1), (2, 1)],
]
CUTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 20]


def as_counts(*rankings):
    width = max(2, *map(len, rankings))
    padded = np.array([[*ranking, *[(0, 0)] * (width - len(ranking))] for ranking in rankings])
    return DistanceCounts(padded[..., 1], padded[..., 0])


def every_order(ranking):
    """Yield every order of the relevance flags that the ties allow, each as often as it occurs."""
    groups = [permutations([1] * relevant + [0] * (size - relevant)) for size, relevant in ranking]
    for parts in product(*groups):
        yield list(chain.from_iterable(parts))


def plain_ap(flags, cut, denominator):
    hits, total = 0, 0.0
    for rank, flag in enumerate(flags[:cut], start=1):
        if flag:
            hits += 1
            total += hits / rank
    divisor = {"all": sum(flags), "min": min(cut, sum(flags)), "hits": hits}[denominator]
    return total / divisor if divisor else 0.0


def plain_dcg(flags, cut):
    return sum(flag / np.log2(rank + 1) for rank, flag in enumerate(flags[:cut], start=1))


def plain_ndcg(flags, cut):
    return plain_dcg(flags, cut) / plain_dcg(sorted(flags, reverse=True), cut)


def expectation(ranking, plain):
    return np.mean([plain(flags) for flags in every_order(ranking)])


@pytest.mark.parametrize("ranking", RANKINGS, ids=str)
def test_average_precision_is_the_mean_over_every_order_of_the_ties(ranking):
    expected = expectation(ranking, lambda flags: plain_ap(flags, len(flags), "all"))
    assert_allclose(average_precision(as_counts(ranking)), [expected], rtol=1e-13)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("ranking", RANKINGS, ids=str)
def test_metrics_cut_inside_a_tie_are_the_mean_over_every_order(ranking, cut):
    counts = as_counts(ranking)
    expected = [
        expectation(ranking, lambda flags: plain_ap(flags, cut, "min")),
        expectation(ranking, lambda flags: plain_ap(flags, cut, "hits")),
        expectation(ranking, lambda flags: sum(flags[:cut]) / cut),
        expectation(ranking, lambda flags: sum(flags[:cut]) / sum(flags)),
        expectation(ranking, lambda flags: plain_ndcg(flags, cut)),
    ]
    values = [
        average_precision_at(counts, cut),
        average_precision_at_hits_only(counts, cut),
        precision_at_k(counts, k=cut),
        expected_recall_at_k(counts, k=cut),
        ndcg_at_k(counts, k=cut),
    ]
    assert_allclose(np.concatenate(values), expected, rtol=1e-12, atol=1e-15)


def test_values_of_a_batch_are_those_of_its_queries_alone():
    batch = as_counts(*RANKINGS)
    for function in (average_precision, lambda c: average_precision_at_hits_only(c, 3), ndcg):
        alone = [function(batch[row : row + 1])[0] for row in range(len(batch))]
        assert_array_equal(function(batch), alone)


def test_long_tied_rankings_agree_with_random_orders():
    rng = np.random.default_rng(0)
    size = np.array([3, 40, 200, 400])
    relevant = np.array([2, 15, 60, 20])
    counts = DistanceCounts(relevant[None], size[None])
    cut, samples = 130, []
    for _ in range(4000):
        flags = np.concatenate([rng.permutation(np.arange(n) < r) for n, r in zip(size, relevant, strict=True)])
        precisions = np.cumsum(flags) / np.arange(1, len(flags) + 1) * flags
        top = precisions[:cut].sum()
        samples.append((precisions.sum() / flags.sum(), top / min(cut, flags.sum()), top / flags[:cut].sum()))
    values = np.concatenate(
        [average_precision(counts), average_precision_at(counts, cut), average_precision_at_hits_only(counts, cut)]
    )
    standard_error = np.std(samples, axis=0) / np.sqrt(len(samples))
    assert np.all(np.abs(np.mean(samples, axis=0) - values) < 4 * standard_error)


def test_without_ties_average_precision_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    flags = rng.random((20, 65)) < 0.2
    flags[:, 40] = True
    expected = [metrics.average_precision_score(row, -np.arange(65.0)) for row in flags]
    counts = DistanceCounts(flags.astype(np.int64), np.ones(flags.shape, dtype=np.int64))
    assert_allclose(average_precision(counts), expected, rtol=1e-13)


@pytest.mark.parametrize("k", [1, 5, 17, 60, 300, None])
def test_ndcg_is_scikit_learns_with_ties(k):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    flags = rng.random((15, 300)) < 0.1
    flags[:, 7] = True
    distances = rng.integers(0, 9, flags.shape)
    counts = DistanceCounts(
        np.array([np.bincount(d[f], minlength=9) for d, f in zip(distances, flags, strict=True)]),
        np.array([np.bincount(d, minlength=9) for d in distances]),
    )
    expected = [metrics.ndcg_score(f[None], -d[None].astype(float), k=k) for f, d in zip(flags, distances, strict=True)]
    assert_allclose(ndcg(counts) if k is None else ndcg_at_k(counts, k=k), expected, rtol=1e-12)


def test_average_precision_of_large_ties_keeps_its_digits():
    """Compared with the sum over places in exact order, at the size of a real data set."""
    size, relevant = np.array([10, 30_000, 39_000]), np.array([10, 2_000, 4_890])
    before, relevant_before, total = 0, 0, 0.0
    for n, r in zip(size.tolist(), relevant.tolist(), strict=True):
        places = np.arange(1, n + 1, dtype=np.longdouble)
        total += np.sum(r / n * (relevant_before + 1 + (places - 1) * (r - 1) / (n - 1)) / (before + places))
        before, relevant_before = before + n, relevant_before + r
    assert_allclose(average_precision(DistanceCounts(relevant[None], size[None])), float(total / 6900), rtol=1e-12)


def test_a_cut_at_the_end_of_the_database_changes_nothing():
    counts = as_counts(*RANKINGS)
    assert_allclose(average_precision_at(counts, 9), average_precision(counts), rtol=1e-14)
    assert_allclose(ndcg_at_k(counts, k=1000), ndcg(counts), rtol=1e-14)


def test_one_tie_of_everything_has_the_precision_of_chance():
    counts = as_counts([(50, 5)])
    assert_allclose(precision_at_k(counts, k=7), [0.1])
    assert_allclose(expected_recall_at_k(counts, k=10), [0.2])


@pytest.mark.parametrize("relevant_before_others", [True, False])
def test_all_metrics_stay_within_zero_and_one(relevant_before_others):
    ranking = [(3000, 3000), (70_000, 0)] if relevant_before_others else [(70_000, 0), (3000, 3000)]
    counts = as_counts(ranking)
    values = [average_precision(counts), ndcg(counts)]
    for cut in (1, 7, 2999, 3000, 3001, 50_000):
        values += [average_precision_at(counts, cut), average_precision_at_hits_only(counts, cut)]
        values += [ndcg_at_k(counts, k=cut), precision_at_k(counts, k=cut), expected_recall_at_k(counts, k=cut)]
    assert np.min(values) >= 0.0 and np.max(values) <= 1.0
    if relevant_before_others:
        assert average_precision(counts)[0] == average_precision_at(counts, 7)[0] == ndcg(counts)[0] == 1.0


def test_a_query_without_anything_relevant_is_undefined_but_has_precision_zero():
    counts = as_counts([(3, 0), (2, 0)], [(3, 1), (2, 0)])
    for values in (
        average_precision(counts),
        average_precision_at(counts, 2),
        average_precision_at_hits_only(counts, 2),
        expected_recall_at_k(counts, k=2),
        ndcg(counts),
        ndcg_at_k(counts, k=2),
    ):
        assert_array_equal(np.isnan(values), [True, False])
    assert precision_at_k(counts, k=2)[0] == 0.0


def test_no_queries_give_no_values():
    counts = DistanceCounts(np.empty((0, 9), dtype=np.int64), np.empty((0, 9), dtype=np.int64))
    assert average_precision(counts).shape == ndcg(counts).shape == precision_at_k(counts, k=3).shape == (0,)
    assert average_precision_at_hits_only(counts, 3).shape == (0,)


def test_an_empty_database_leaves_every_query_undefined():
    counts = as_counts([(0, 0), (0, 0)])
    assert np.isnan([average_precision(counts), ndcg(counts), average_precision_at_hits_only(counts, 1)]).all()


@pytest.mark.parametrize("rank", [0, -1, 2.0, True, "5"])
def test_a_rank_that_is_no_whole_number_from_one_on_is_refused(rank):
    counts = as_counts([(3, 1)])
    with pytest.raises(InvalidInputError, match="whole number of at least 1"):
        average_precision_at(counts, rank)
    with pytest.raises(InvalidInputError, match="whole number of at least 1"):
        precision_at_k(counts, k=rank)
