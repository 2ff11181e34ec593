import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cross_decomposition import CCA

from hammingway.errors import InvalidInputError, NotNumericError, ShapeError
from hammingway.hashers import ITQ, SupervisedITQ
from hammingway.hashers.rows import TrainingRows, Work
from hammingway.hashers.supervised_itq import Labels, canonical_directions


@pytest.fixture
def data():
    """Three classes told apart by the weakest features only."""
    rng = np.random.default_rng(0)
    y = np.arange(900) % 3
    X = rng.normal(size=(900, 10)) * np.linspace(5, 0.3, 10)
    X[:, 8] += y == 1
    X[:, 9] += y == 2
    return X, y


def same_class_share(codes, y):
    """Return how often the nearest other code is of the same class."""
    bits = codes.unpack().astype(int)
    distances = (bits[:, None] != bits[None]).sum(axis=2).astype(float)
    closest = distances == np.where(np.eye(len(y), dtype=bool), np.inf, distances).min(axis=1, keepdims=True)
    np.fill_diagonal(closest, False)
    return np.mean([(y[near] == label).mean() for near, label in zip(closest, y, strict=True)])


def test_labels_find_what_variance_does_not(data):
    X, y = data
    supervised = SupervisedITQ(8, random_state=0).fit(X, y).encode(X)
    assert same_class_share(supervised, y) > same_class_share(ITQ(8, random_state=0).fit(X).encode(X), y) + 0.3


def test_directions_equal_scikit_learns_canonical_correlation(data):
    X, y = data
    rows = TrainingRows(X, None, Work(None))
    directions = canonical_directions(rows, Labels(y, rows), 2, 1e-9)
    indicators = (y[:, None] == np.arange(2)).astype(float)  # the third column follows from two
    x_scores, y_scores = CCA(2, max_iter=5000, tol=1e-12).fit(X, indicators).transform(X, indicators)
    ours = (X - directions.mean) @ directions.vectors
    for j in range(2):
        assert abs(np.corrcoef(ours[:, j], x_scores[:, j])[0, 1]) > 0.9999
    correlations = [np.corrcoef(x_scores[:, j], y_scores[:, j])[0, 1] for j in range(2)]
    assert_allclose(ours.std(axis=0), correlations, rtol=1e-3)  # each direction is scaled by its correlation


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y + 7,
        lambda y: y.astype(np.float32),
        lambda y: np.array(["ant", "bee", "cow"])[y],
        lambda y: np.array(["ant", "bee", "cow"], dtype=object)[y],
        lambda y: y[:, None],
        lambda y: y[:, None] == np.arange(3),
        lambda y: (y[:, None] == np.arange(3)).astype(int),
    ],
    ids=["integers", "whole floats", "strings", "objects", "column", "boolean indicators", "0/1 indicators"],
)
def test_any_form_of_the_same_labels_gives_the_same_codes(data, convert):
    X, y = data
    expected = SupervisedITQ(8, random_state=0).fit(X, y).encode(X)
    assert_array_equal(SupervisedITQ(8, random_state=0).fit(X, convert(y)).encode(X).packed, expected.packed)


def test_overlapping_labels_are_used(data):
    X, _ = data
    tags = np.column_stack([X[:, 2] > 0, X[:, 5] > 0, X[:, 2] + X[:, 5] > 1])
    hasher = SupervisedITQ(16, random_state=0).fit(X, tags)
    share = (np.abs(hasher.weights_) * X.std(axis=0)[:, None]).sum(axis=1)
    assert share[[2, 5]].sum() > 0.8 * share.sum()


@pytest.mark.parametrize(("n_classes", "n_directions"), [(2, 1), (3, 2), (6, 5)])
def test_c_classes_give_at_most_c_minus_1_directions(n_classes, n_directions):
    rng = np.random.default_rng(0)
    y = np.arange(600) % n_classes
    X = rng.normal(size=(n_classes, 8))[y] * 3 + rng.normal(size=(600, 8))
    hasher = SupervisedITQ(32, random_state=0).fit(X, y)
    assert hasher.rotation_.shape == (n_directions, 32)
    assert np.linalg.matrix_rank(hasher.weights_, tol=1e-4) == n_directions


def test_sampled_rows_keep_their_labels(data):
    X, y = data
    hasher = SupervisedITQ(8, random_state=0, max_training_rows=300).fit(X, y)
    assert same_class_share(hasher.encode(X), y) > 0.5
    assert_allclose(hasher.rotation_ @ hasher.rotation_.T, np.eye(2), atol=1e-10)


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        (None, InvalidInputError, "requires y to be passed"),
        (np.zeros(900), InvalidInputError, "only one class"),
        (np.arange(899), ShapeError, "each of the 900 rows"),
        (np.linspace(0, 1, 900), InvalidInputError, "continuous"),
        (np.full(900, np.nan), InvalidInputError, "NaN"),
        (np.full((900, 2), 2), InvalidInputError, "0 and 1"),
        (np.array([None, 1] * 450, dtype=object), NotNumericError, "Unknown label type"),
        (np.array(["a", 1] * 450, dtype=object), NotNumericError, "mixture"),
        (np.ones(900, dtype=complex), InvalidInputError, "complex128"),
    ],
)
def test_unusable_labels_are_refused(data, labels, error, said):
    with pytest.raises(error, match=said):
        SupervisedITQ(4).fit(data[0], labels)


def test_vectors_without_correlation_are_refused():
    X = np.tile([[1.0, 2.0], [3.0, 5.0]], (50, 1))
    with pytest.raises(InvalidInputError, match="correlates"):
        SupervisedITQ(4).fit(X, np.repeat([0, 1], 50))


@pytest.mark.parametrize("value", [0, -1.0, 1e-20, 1e5, 10**400, np.inf, np.nan, "small", True])
def test_impossible_regularization_is_refused(data, value):
    with pytest.raises(InvalidInputError, match="regularization"):
        SupervisedITQ(4, regularization=value).fit(*data)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e29])
def test_least_regularization_suffices_where_features_are_constant_repeated_and_too_many(scale):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 50))
    X[:, 3], X[:, 4] = 0, X[:, 5]
    hasher = SupervisedITQ(8, random_state=0, regularization=1e-12).fit(scale * X, np.arange(20) % 4)
    assert np.all(np.isfinite(hasher.project(scale * X)))


def test_features_too_small_for_weights_in_float32_are_refused(data):
    X, y = data
    with pytest.raises(InvalidInputError, match="vary too little"):
        SupervisedITQ(4, random_state=0).fit(1e-44 * X, y)
