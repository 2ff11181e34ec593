"""HammingNeighbors against scikit-learn's brute force over the unpacked bits, and its estimator checks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from hammingway import registry
from hammingway.errors import InvalidInputError, ShapeError, UnknownNameError
from hammingway.hashers import ITQ, RandomHyperplanes, SignHash, SupervisedITQ
from hammingway.neighbors import HammingNeighbors

WIDTHS = [1, 7, 8, 9, 63, 64, 65]


@parametrize_with_checks(
    [
        HammingNeighbors(),
        HammingNeighbors(mode="connectivity"),
        HammingNeighbors(ITQ(2, random_state=0), n_neighbors=3),
        HammingNeighbors(SupervisedITQ(1, random_state=0)),
    ]
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    return rng.normal(size=(80, 65)), rng.normal(size=(9, 65))


def bit_counts(n_bits, X, queries):
    """Return the Hamming distances, by comparing bits one by one."""
    return (queries[:, np.newaxis, :n_bits] > 0).__xor__(X[np.newaxis, :, :n_bits] > 0).sum(axis=2)


def nearest(distances, k):
    """Return the first k (distance, row) of each query."""
    ranked = [sorted(zip(row, range(len(row)), strict=True))[:k] for row in distances.tolist()]
    return np.array([[d for d, _ in row] for row in ranked]), np.array([[i for _, i in row] for row in ranked])


@pytest.mark.parametrize("n_bits", WIDTHS)
def test_kneighbors_of_queries_is_the_brute_force_answer(data, n_bits):
    X, queries = data
    neighbors = HammingNeighbors(SignHash(n_bits)).fit(X)
    distances, rows = neighbors.kneighbors(queries, 7)
    expected = nearest(bit_counts(n_bits, X, queries), 7)
    assert_array_equal(distances, expected[0])
    assert_array_equal(rows, expected[1])
    assert_array_equal(neighbors.kneighbors(queries, 7, return_distance=False), rows)


@pytest.mark.parametrize("n_bits", WIDTHS)
def test_kneighbors_of_the_fitted_rows_leaves_each_row_out(data, n_bits):
    X, _ = data
    distances, rows = HammingNeighbors(SignHash(n_bits), n_neighbors=6).fit(X).kneighbors()
    without_self = bit_counts(n_bits, X, X)
    np.fill_diagonal(without_self, n_bits + 1)
    expected, _ = nearest(without_self, 6)
    assert_array_equal(distances, expected)
    assert not np.any(rows == np.arange(80)[:, np.newaxis])
    assert all(len(set(row)) == 6 for row in rows)


def test_distances_are_those_of_scikit_learn(data):
    X, queries = data
    theirs = NearestNeighbors(metric="hamming", algorithm="brute").fit(X > 0)
    neighbors = HammingNeighbors(SignHash()).fit(X)
    assert_array_equal(neighbors.kneighbors(queries, 20)[0], np.rint(theirs.kneighbors(queries > 0, 20)[0] * 65))
    assert_array_equal(neighbors.kneighbors(None, 20)[0], np.rint(theirs.kneighbors(None, 20)[0] * 65))
    for ours, reference in zip(
        neighbors.radius_neighbors(queries, 27, return_distance=False),
        theirs.radius_neighbors(queries > 0, 27.5 / 65, return_distance=False),
        strict=True,
    ):
        assert sorted(ours) == sorted(reference)


@pytest.mark.parametrize("radius", [0, 25, 30, 65])
def test_radius_is_inclusive_and_leaves_a_fitted_row_out(data, radius):
    X, queries = data
    neighbors = HammingNeighbors(SignHash(), radius=radius).fit(X)
    for given, exact in ((queries, bit_counts(65, X, queries)), (None, bit_counts(65, X, X))):
        if given is None:
            np.fill_diagonal(exact, 66)
        distances, rows = neighbors.radius_neighbors(given)
        assert distances.dtype == rows.dtype == object and len(rows) == len(exact)
        for d, r, row in zip(distances, rows, exact, strict=True):
            wanted = sorted((b, i) for i, b in enumerate(row.tolist()) if b <= radius)
            assert list(zip(d.tolist(), r.tolist(), strict=True)) == wanted


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_graphs_hold_what_the_calls_return(data, mode):
    X, queries = data
    neighbors = HammingNeighbors(SignHash(9), n_neighbors=4, mode=mode).fit(X)
    for given in (queries, None):
        distances, rows = neighbors.kneighbors(given)
        graph = neighbors.kneighbors_graph(given, mode=mode)
        assert isinstance(graph, csr_matrix) and graph.dtype == np.float64 and graph.shape == (len(rows), 80)
        assert_array_equal(graph.indices.reshape(rows.shape), rows)
        assert_array_equal(graph.data.reshape(rows.shape), distances if mode == "distance" else np.ones(rows.shape))
        within = neighbors.radius_neighbors_graph(given, 2, mode=mode)
        distances, rows = neighbors.radius_neighbors(given, 2)
        assert_array_equal(within.indices, np.concatenate(rows))
        assert_array_equal(np.diff(within.indptr), [len(row) for row in rows])
        if mode == "distance":
            assert_array_equal(within.data, np.concatenate(distances))
    n_stored = 5 if mode == "distance" else 4
    assert_array_equal(np.diff(neighbors.transform(queries).indptr), np.full(9, n_stored))


def test_equal_rows_are_neighbours_of_each_other_and_never_of_themselves():
    neighbors = HammingNeighbors(SignHash(), n_neighbors=3).fit(np.ones((6, 9)))
    distances, rows = neighbors.kneighbors()
    assert_array_equal(distances, np.zeros((6, 3)))
    assert_array_equal(rows, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]])
    assert_array_equal(neighbors.kneighbors_graph(mode="distance").nnz, 18)  # zeros are stored


def test_a_single_row_has_itself_alone():
    neighbors = HammingNeighbors(SignHash(), n_neighbors=1, mode="connectivity").fit([[1.0, -1.0]])
    assert_array_equal(neighbors.transform([[1.0, 1.0]]).toarray(), [[1.0]])
    assert_array_equal(neighbors.radius_neighbors(None, 2)[1][0], [])
    with pytest.raises(InvalidInputError, match="Expected n_neighbors <= n_samples_fit, but n_neighbors = 1, and 0"):
        neighbors.kneighbors()


def test_pipeline_classifies_as_a_classifier_on_the_bits():
    X, y = load_digits(return_X_y=True)
    X = X - X.mean(axis=0)
    hasher = RandomHyperplanes(64, random_state=0).fit(X[:1000])
    ours = make_pipeline(
        HammingNeighbors(RandomHyperplanes(64, random_state=0), n_neighbors=5),
        KNeighborsClassifier(n_neighbors=5, metric="precomputed"),
    ).fit(X[:1000], y[:1000])
    bits = hasher.encode(X).unpack()
    theirs = KNeighborsClassifier(n_neighbors=5, metric="hamming", algorithm="brute").fit(bits[:1000], y[:1000])
    agreement = np.mean(ours.predict(X[1000:]) == theirs.predict(bits[1000:]))
    assert agreement > 0.97  # they differ where a tie falls on the fifth neighbour
    assert ours.score(X[1000:], y[1000:]) > 0.85


def test_parameters_of_the_hasher_can_be_searched(data):
    X, _ = data
    search = GridSearchCV(
        make_pipeline(
            HammingNeighbors(RandomHyperplanes(8, random_state=0)), KNeighborsClassifier(3, metric="precomputed")
        ),
        {"hammingneighbors__hasher__n_bits": [4, 64]},
        cv=2,
    ).fit(X, X[:, 0] > 0)
    assert search.best_params_["hammingneighbors__hasher__n_bits"] in (4, 64)


def test_clone_and_pickle_answer_alike(data):
    X, queries = data
    neighbors = HammingNeighbors(ITQ(16, random_state=0)).fit(X)
    for other in (clone(neighbors).fit(X), pickle.loads(pickle.dumps(neighbors))):  # noqa: S301 (our own bytes)
        assert_array_equal(other.kneighbors(queries), neighbors.kneighbors(queries))
    assert neighbors.get_feature_names_out()[[0, -1]].tolist() == ["hammingneighbors0", "hammingneighbors79"]


@pytest.mark.parametrize(
    ("error", "match", "parameters"),
    [
        (InvalidInputError, "k must be a whole number from 1", {"n_neighbors": 0}),
        (InvalidInputError, "radius must be", {"radius": -1}),
        (InvalidInputError, "mode must be one of connectivity, distance; got 'bits'", {"mode": "bits"}),
        (UnknownNameError, "No indexes? named 'flatt'", {"index": "flatt"}),
    ],
)
def test_wrong_parameters_are_refused_by_fit(data, error, match, parameters):
    with pytest.raises(error, match=match):
        HammingNeighbors(**parameters).fit(data[0])


def test_wrong_calls_are_refused(data):
    X, queries = data
    neighbors = HammingNeighbors(SignHash()).fit(X)
    for error, match, call in (
        (InvalidInputError, "n_neighbors = 81, and 80", lambda: neighbors.kneighbors(queries, 81)),
        (InvalidInputError, "n_neighbors = 80, and 79", lambda: neighbors.kneighbors(None, 80)),
        (InvalidInputError, "radius must be", lambda: neighbors.radius_neighbors(queries, 2.5)),
        (InvalidInputError, "mode must be", lambda: neighbors.kneighbors_graph(queries, mode="x")),
        (InvalidInputError, "mode must be", lambda: neighbors.radius_neighbors_graph(queries, mode="x")),
        (ShapeError, "two-dimensional", lambda: neighbors.kneighbors(queries[0])),
        (InvalidInputError, "NaN", lambda: neighbors.kneighbors(queries * np.nan)),
        (NotFittedError, "not fitted", lambda: HammingNeighbors().kneighbors(queries)),
        (NotFittedError, "not fitted", lambda: HammingNeighbors().radius_neighbors()),
    ):
        with pytest.raises(error, match=match):
            call()


@pytest.mark.parametrize("name", [n for n in registry.names("indexes") if registry.load("indexes", n).exact])
def test_every_exact_index_gives_the_same_neighbours(data, name):
    X, queries = data
    neighbors = HammingNeighbors(SignHash(), index=name).fit(X)
    expected = nearest(bit_counts(65, X, queries), 9)
    assert isinstance(neighbors.index_, registry.load("indexes", name))
    assert_array_equal(neighbors.kneighbors(queries, 9), expected)


def test_an_index_that_may_miss_neighbours_is_refused(data, monkeypatch):
    from hammingway.indexes import FlatIndex

    class Lossy(FlatIndex):
        exact = False

    monkeypatch.setattr("hammingway.neighbors.registry.load", lambda kind, name: Lossy)
    with pytest.raises(InvalidInputError, match="may miss neighbours"):
        HammingNeighbors().fit(data[0])
