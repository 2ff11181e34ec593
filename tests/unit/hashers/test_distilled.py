import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hammingway import FlatIndex
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.hashers import ITQ, Distilled, load_hasher
from hammingway.hashers.distilled import default_steps

N_QUERIES = 150


@pytest.fixture(scope="module")
def mixture():
    """Queries and a database from one mixture of correlated Gaussians."""
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(32, 32)) * 0.8 ** np.arange(32)
    centres = rng.normal(size=(30, 32))
    X = centres[rng.integers(30, size=1100)] + rng.normal(size=(1100, 32)) @ shape.T * 0.5
    return X[:N_QUERIES].astype(np.float32), X[N_QUERIES:].astype(np.float32)


def similarity(queries, database, metric):
    """Return by the textbook what the metric says of each pair, the greater the nearer."""
    queries, database = queries.astype(np.float64), database.astype(np.float64)
    if metric == "inner-product":
        return queries @ database.T
    if metric == "cosine":
        norms = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(database, axis=1)
        return queries @ database.T / norms
    return -((queries[:, None] - database) ** 2).sum(axis=2)


def recall(hasher, queries, database, metric="euclidean", shown=10, prefix_bits=None):
    """Return the share of the 10 nearest rows among the first ``shown`` of an asymmetric search."""
    true = np.argsort(-similarity(queries, database, metric), axis=1)[:, :10]
    index = FlatIndex(hasher.n_bits_).add(hasher.encode(database))
    found = index.search_asymmetric(
        hasher.project_queries(queries)[:, :prefix_bits], shown, prefix_bits=prefix_bits
    ).ids
    return np.mean([len(np.intersect1d(*pair)) / 10 for pair in zip(true, found, strict=True)])


@pytest.fixture(scope="module")
def fitted(mixture):
    return Distilled(16, random_state=0, n_steps=100).fit(mixture[1])


def test_few_rows_and_long_codes_take_fewer_steps():
    assert [default_steps(n_rows, 64) for n_rows in (100, 4500, 20_000, 30_000, 60_000)] == [300, 300, 1333, 3000, 8000]
    assert [default_steps(100_000, n_bits) for n_bits in (16, 128, 384, 4096)] == [8000, 8000, 2864, 300]


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "inner-product"])
def test_finds_more_true_neighbours_than_itq(mixture, metric):
    queries, database = mixture
    hasher = Distilled(16, random_state=0, metric=metric, n_steps=100).fit(database)
    start = ITQ(16, random_state=0).fit(database)
    assert recall(hasher, queries, database, metric) > recall(start, queries, database, metric) + 0.03


def test_finds_neighbours_by_the_metric_it_was_fitted_for(mixture, fitted):
    queries, database = mixture
    stretched = database * np.random.default_rng(1).uniform(0.3, 3, size=(len(database), 1)).astype(np.float32)
    by_product = Distilled(16, random_state=0, metric="inner-product", n_steps=100).fit(stretched)
    by_distance = Distilled(16, random_state=0, n_steps=100).fit(stretched)
    found = [recall(hasher, queries, stretched, "inner-product") for hasher in (by_product, by_distance)]
    assert found[0] > found[1] + 0.1


def test_cosine_ignores_the_length_of_a_row(mixture):
    queries, database = mixture
    hasher = Distilled(16, random_state=0, metric="cosine", n_steps=30).fit(database)
    assert_array_equal(hasher.encode(database * 4).packed, hasher.encode(database).packed)
    assert_array_equal(hasher.project_queries(queries * 8), hasher.project_queries(queries))


def test_queries_have_a_map_of_their_own(mixture, fitted):
    queries, database = mixture
    as_rows = FlatIndex(16).add(fitted.encode(database)).search_asymmetric(fitted.project(queries), 10)
    assert not np.allclose(fitted.project(queries), fitted.project_queries(queries))
    true = np.argsort(-similarity(queries, database, "euclidean"), axis=1)[:, :10]
    share = np.mean([len(np.intersect1d(*pair)) / 10 for pair in zip(true, as_rows.ids, strict=True)])
    assert recall(fitted, queries, database) > share


def test_scores_are_the_maps_that_the_attributes_state(mixture, fitted):
    queries, _ = mixture
    centred = queries.astype(np.float64) - fitted.mean_
    assert_allclose(fitted.project(queries), centred @ fitted.weights_ + fitted.offsets_, atol=1e-4)
    expected = centred @ fitted.query_weights_ + fitted.query_offsets_
    assert_allclose(fitted.project_queries(queries), expected, atol=1e-4)


def test_query_scores_depend_on_their_row_alone(mixture, fitted):
    queries, _ = mixture
    whole = fitted.project_queries(queries)
    assert_array_equal(np.vstack([fitted.project_queries(row[None]) for row in queries]), whole)
    assert_array_equal(fitted.project_queries(queries[::-1])[::-1], whole)


def test_query_map_survives_saving(mixture, fitted, tmp_path):
    fitted.save(tmp_path / "distilled")
    loaded = load_hasher(tmp_path / "distilled")
    assert_array_equal(loaded.project_queries(mixture[0]), fitted.project_queries(mixture[0]))


@pytest.mark.parametrize("n_bits", [1, 8, 63, 64, 65, 100])
def test_takes_any_number_of_bits(mixture, n_bits):
    queries, database = mixture
    hasher = Distilled(n_bits, random_state=0, n_steps=10).fit(database)
    assert hasher.encode(queries).n_bits == n_bits
    assert np.isfinite(hasher.project_queries(queries)).all()


def test_more_bits_than_features_find_more(mixture):
    queries, database = mixture
    few, many = (Distilled(n_bits, random_state=0, n_steps=100).fit(database) for n_bits in (32, 96))
    assert recall(many, queries, database) > recall(few, queries, database) + 0.04


def test_first_bits_are_a_good_code_where_they_are_asked_to_be(mixture):
    queries, database = mixture
    plain, nested, short = (
        Distilled(n_bits, random_state=0, n_steps=150, prefix_bits=prefix_bits).fit(database)
        for n_bits, prefix_bits in ((32, None), (32, [8, 16]), (8, None))
    )
    by_eight = [recall(hasher, queries, database, shown=30, prefix_bits=8) for hasher in (plain, nested, short)]
    assert by_eight[1] > by_eight[0] + 0.1
    assert by_eight[1] > by_eight[2] - 0.05
    whole = [recall(hasher, queries, database) for hasher in (plain, nested)]
    assert whole[1] > whole[0] - 0.05


@pytest.mark.parametrize(("n_bits", "prefix_bits"), [(9, [1, 8]), (65, (63, 64)), (100, [20, 40, 90]), (64, [32])])
def test_takes_prefixes_of_any_width_also_beyond_the_features(mixture, n_bits, prefix_bits):
    queries, database = mixture
    hasher = Distilled(n_bits, random_state=0, n_steps=10, prefix_bits=prefix_bits).fit(database)
    assert np.isfinite(hasher.project_queries(queries)).all()
    bits = hasher.encode(database).unpack()
    assert len(np.unique(bits, axis=1).T) == n_bits


def test_prefixes_are_the_same_saved_as_a_list_or_a_tuple(mixture, tmp_path):
    hashers = [
        Distilled(16, random_state=0, n_steps=5, prefix_bits=kind([4, 8])).fit(mixture[1]) for kind in (list, tuple)
    ]
    assert hashers[0].fingerprint() == hashers[1].fingerprint()
    hashers[1].save(tmp_path / "distilled")
    loaded = load_hasher(tmp_path / "distilled")
    assert loaded.fingerprint() == hashers[1].fingerprint()
    assert_array_equal(loaded.project_queries(mixture[0]), hashers[1].project_queries(mixture[0]))


def test_prefixes_go_with_labels_and_with_breadth(mixture):
    database = mixture[1]
    for options in ({"use_labels": True}, {"breadth": 1.0}):
        hasher = Distilled(16, random_state=0, n_steps=10, prefix_bits=[8], **options)
        assert np.isfinite(hasher.fit(database, database[:, 0] > 0).query_weights_).all()


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_of_the_data_do_not_matter(mixture, scale):
    queries, database = mixture
    hashers = [Distilled(16, random_state=0, n_steps=60).fit(database * factor) for factor in (1, np.float32(scale))]
    found = [
        recall(hasher, queries * factor, database * factor) for hasher, factor in zip(hashers, (1, scale), strict=True)
    ]
    assert found[1] == pytest.approx(found[0], abs=0.03)


def test_labels_pull_rows_of_a_class_together():
    rng = np.random.default_rng(0)
    y = np.arange(1200) % 4
    signal = rng.normal(size=(4, 3))[y] * 1.5
    X = np.hstack([signal + rng.normal(size=(1200, 3)), 5 * rng.normal(size=(1200, 20))])  # classes in weak features
    hashers = [
        Distilled(16, random_state=0, n_steps=60, use_labels=labels).fit(X[200:], y[200:]) for labels in (False, True)
    ]
    shares = []
    for hasher in hashers:
        found = FlatIndex(16).add(hasher.encode(X[200:])).search_asymmetric(hasher.project_queries(X[:200]), 20).ids
        shares.append((y[200:][found] == y[:200, None]).mean())
    assert shares[1] > shares[0] + 0.2


def test_takes_rows_with_several_labels():
    rng = np.random.default_rng(0)
    members = rng.random((300, 5)) < 0.4
    X = members @ rng.normal(size=(5, 12)) + rng.normal(size=(300, 12))
    hasher = Distilled(8, random_state=0, n_steps=20, use_labels=True).fit(X, members.astype(int))
    assert len(hasher.encode(X)) == 300


@pytest.mark.parametrize("n_rows", [3, 19, 20, 21])
def test_takes_few_rows(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 6))
    assert len(Distilled(8, random_state=0, n_steps=5).fit(X).encode(X)) == n_rows


def test_takes_duplicates():
    X = np.repeat(np.random.default_rng(0).normal(size=(8, 6)), 40, axis=0)
    hasher = Distilled(8, random_state=0, n_steps=20).fit(X)
    assert np.isfinite(hasher.query_weights_).all()


@pytest.mark.parametrize("options", [{}, {"breadth": 1.0}, {"prefix_bits": [4, 12]}])
def test_any_number_of_threads_gives_the_same_hasher(mixture, options):
    from threadpoolctl import threadpool_limits

    prints = set()
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            hasher = Distilled(16, random_state=0, n_steps=30, **options).fit(mixture[1])
        prints.add(hasher.fingerprint())
    assert len(prints) == 1


def test_breadth_keeps_groups_together():
    rng = np.random.default_rng(0)
    y = np.arange(1400) % 8
    X = rng.normal(size=(8, 24))[y] + rng.normal(size=(1400, 24))
    queries, database = slice(0, 200), slice(200, None)
    shares = []
    for breadth in (0, 3):
        hasher = Distilled(12, random_state=0, n_steps=40, breadth=breadth).fit(X[database])
        found = FlatIndex(12).add(hasher.encode(X[database])).search(hasher.encode(X[queries]), 100).ids
        shares.append((y[database][found] == y[queries, None]).mean())
    assert shares[1] > shares[0] + 0.05


@pytest.mark.parametrize("arguments", [{}, {"metric": "cosine"}, {"use_labels": True}])
def test_progress_counts_to_the_end(mixture, arguments):
    calls = []
    labels = mixture[1][:, 0] > 0
    hasher = Distilled(8, random_state=0, n_steps=12, **arguments)
    hasher.fit(mixture[1], labels, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1]
    assert all(earlier[0] < later[0] for earlier, later in itertools.pairwise(calls))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "manhattan"}, "metric must be one of"),
        ({"n_steps": 0}, "n_steps must be a whole number"),
        ({"breadth": -1.0}, "breadth must be a number from 0"),
        ({"breadth": np.nan}, "breadth must be a number from 0"),
        ({"breadth": True}, "breadth must be a number from 0"),
        ({"prefix_bits": []}, "prefix_bits must be numbers that rise"),
        ({"prefix_bits": 4}, "prefix_bits must be numbers that rise"),
        ({"prefix_bits": "4"}, "prefix_bits must be numbers that rise"),
        ({"prefix_bits": [4, 4]}, "prefix_bits must be numbers that rise"),
        ({"prefix_bits": [2, 8]}, r"below n_bits = 8, as in prefix_bits=\[2,4\], or None; got \[2, 8\]"),
        ({"prefix_bits": [0, 4]}, "each of prefix_bits must be a whole number"),
        ({"prefix_bits": [True, 4]}, "each of prefix_bits must be a whole number"),
        ({"prefix_bits": [2.5]}, "each of prefix_bits must be a whole number"),
        ({"breadth": 1e7}, "breadth must be a number from 0 to 1e[+]06"),
        ({"use_labels": "yes"}, "use_labels must be True or False"),
        ({"use_labels": True}, "requires y"),
    ],
)
def test_refuses_what_it_cannot_use(mixture, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        Distilled(8, **arguments).fit(mixture[1])


def test_refuses_two_rows():
    with pytest.raises(ShapeError, match="at least 3 training rows"):
        Distilled(8).fit(np.eye(2))


def test_refuses_equal_rows():
    with pytest.raises(InvalidInputError, match="all equal"):
        Distilled(4).fit(np.ones((50, 4)))


@pytest.mark.parametrize("scale", [1e-33, 1e-38, 1e-42])
@pytest.mark.parametrize("use_labels", [False, True])
def test_features_too_small_for_weights_in_float32_are_refused(mixture, scale, use_labels):
    X = mixture[1].astype(np.float64)
    with pytest.raises(InvalidInputError, match="vary too little for weights in float32; multiply X by a power of ten"):
        Distilled(8, use_labels=use_labels).fit(scale * X, X[:, 0] > 0)


@pytest.mark.parametrize("options", [{}, {"metric": "cosine"}])
def test_smallest_features_there_may_be_have_finite_weights(mixture, options):
    X = (1e-31 if not options else 1e-42) * mixture[1].astype(np.float64)
    hasher = Distilled(8, random_state=0, n_steps=20, **options).fit(X)
    assert all(np.isfinite(array).all() for array in hasher._learned().values())
    assert hasher.encode(X).packed.std() > 0


def test_refuses_rows_that_are_equal_but_for_one_that_is_held_out():
    X = np.ones((50, 4))
    X[35] = 2
    with pytest.raises(InvalidInputError, match="all equal but for some of those held out"):
        Distilled(4, random_state=0).fit(X)


def test_refuses_rows_beside_which_another_that_is_held_out_is_too_far_off():
    X = np.random.default_rng(0).normal(size=(300, 12))
    X[60] *= 1e10
    with pytest.raises(InvalidInputError, match="differ by next to nothing beside a few far off"):
        Distilled(8, random_state=0).fit(X)


@pytest.mark.parametrize("n_others", [1, 1500])
def test_takes_thousands_of_equal_rows_before_the_others(n_others):
    others = np.random.default_rng(0).normal(size=(n_others, 8)) + 3
    hasher = Distilled(8, random_state=1, n_steps=20).fit(np.vstack([np.zeros((1200, 8)), others]))
    assert np.isfinite(hasher.project_queries(others)).all()
    assert (hasher.encode(np.zeros((1, 8))).packed != hasher.encode(others[:1]).packed).any()
