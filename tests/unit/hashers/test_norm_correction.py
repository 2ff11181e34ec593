"""A bias learnt for the norm follows its formula, helps where norms matter, and is absent where it would not help."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits

from hammingway import storage
from hammingway.errors import FileFormatError, InvalidInputError
from hammingway.hashers import ITQ, PCAHash, RandomHyperplanes, RotatedPCAHash, SignHash, SpectralHash, load_hasher
from hammingway.hashers.norm_correction import AMOUNTS
from hammingway.hashers.saving import fingerprint
from hammingway.indexes import FlatIndex

METRICS = ["euclidean", "inner-product"]
CORRECTED = [ITQ, PCAHash, RandomHyperplanes, RotatedPCAHash, SignHash]


def vectors(n, n_features=24, spread=0.4, seed=1):
    """Gaussian vectors whose norms differ by a factor of exp(spread) and more."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, n_features)) * np.linspace(1.5, 0.5, n_features)
    return (x * np.exp(spread * rng.standard_normal((n, 1)))).astype(np.float32)


def on_sphere(n, seed=1):
    x = np.random.default_rng(seed).standard_normal((n, 16))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def exact(queries, database, metric, k=10):
    """The nearest rows in float64, by sorting all of them."""
    values = queries.astype(np.float64) @ database.astype(np.float64).T
    if metric == "euclidean":
        values -= np.square(database.astype(np.float64)).sum(axis=1) / 2
    return np.argsort(-values, axis=1, kind="stable")[:, :k]


def recall(hasher, queries, database, bias, true):
    index = FlatIndex(hasher.n_bits_).add(hasher.encode(database), bias=bias)
    found = index.search_asymmetric(hasher.project_queries(queries), true.shape[1]).ids
    return (found[:, :, None] == true[:, None, :]).any(axis=2).mean()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("center", [False, True])
def test_bias_is_the_documented_formula(metric, center):
    X = vectors(2000) + 0.3
    hasher = RandomHyperplanes(20, random_state=0, center=center, norm_correction=metric).fit(X)
    rows = X.astype(np.float64)
    origin = rows.mean(axis=0) if center else np.zeros(24)
    squares = np.square(rows - origin).sum(axis=1)
    unit = squares.mean() / np.abs(hasher.project(X).astype(np.float64)).sum(axis=1).mean()
    term = -squares / 2 if metric == "euclidean" else np.square(rows).sum(axis=1) / 2
    amount = hasher.norm_correction_[0]
    assert amount in AMOUNTS
    assert amount > 0
    np.testing.assert_allclose(hasher.code_bias(X), amount * (term - term.mean()) / unit, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", CORRECTED)
def test_recall_of_unseen_queries_improves_where_norms_differ(kind, metric):
    database, queries = vectors(1500), vectors(300, seed=2)
    hasher = kind(20, random_state=0, norm_correction=metric).fit(database)
    true = exact(queries, database, metric)
    plain = recall(hasher, queries, database, None, true)
    assert recall(hasher, queries, database, hasher.code_bias(database), true) > plain + 0.02


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("n_bits", [1, 8, 24])
def test_recall_never_falls_on_the_rows_that_it_was_learnt_on(metric, spread, n_bits):
    X = vectors(1000, spread=spread, seed=3)
    hasher = ITQ(n_bits, random_state=0, norm_correction=metric).fit(X)
    # All rows are asked with: eleven neighbours, of which each row's own is taken out on both sides.
    values = X.astype(np.float64) @ X.astype(np.float64).T
    if metric == "euclidean":
        values -= np.square(X.astype(np.float64)).sum(axis=1) / 2
    scores = hasher.project(X) @ hasher.encode(X).to_signs().T.astype(np.float32)
    biased = scores if hasher.code_bias(X) is None else scores + hasher.code_bias(X)
    shares = []
    for found in (values, scores, biased):
        np.fill_diagonal(found, -np.inf)
    true = np.argsort(-values, axis=1, kind="stable")[:, :10]
    for found in (scores, biased):
        best = np.argsort(-found, axis=1, kind="stable")[:, :10]
        shares.append((best[:, :, None] == true[:, None, :]).any(axis=2).mean())
    assert shares[1] >= shares[0]


@pytest.mark.parametrize("kind", [RandomHyperplanes, SignHash])
def test_normalised_vectors_need_no_bias(kind):
    for metric in METRICS:
        hasher = kind(16, random_state=0, norm_correction=metric).fit(on_sphere(1500))
        assert hasher.norm_correction_[0] == 0
        assert not hasher.has_bias
        assert hasher.code_bias(on_sphere(5)) is None


@pytest.mark.parametrize("kind", [*CORRECTED, SpectralHash])
def test_without_being_asked_there_is_no_bias(kind):
    hasher = kind(8, random_state=0).fit(vectors(100))
    assert not hasher.has_bias
    assert hasher.code_bias(vectors(10)) is None


@pytest.mark.parametrize("kind", CORRECTED)
@pytest.mark.parametrize(
    "ask",
    [
        lambda hasher: hasher.has_bias,
        lambda hasher: hasher.code_bias(vectors(10)),
        lambda hasher: hasher.fingerprint(),
        lambda hasher: hasher.save("never written"),
    ],
)
def test_one_that_is_asked_for_after_the_fit_needs_another_fit(kind, ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hasher = kind(8, random_state=0).fit(vectors(100)).set_params(norm_correction="euclidean")
    with pytest.raises(NotFittedError, match="Call 'fit'"):
        ask(hasher)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", CORRECTED)
def test_codes_and_scores_are_those_without_it(kind):
    X = vectors(500)
    plain, corrected = (kind(8, random_state=0, norm_correction=metric).fit(X) for metric in (None, "euclidean"))
    assert_array_equal(corrected.project(X), plain.project(X))
    assert corrected.fingerprint() != plain.fingerprint()


def test_fingerprint_of_a_hasher_without_it_does_not_name_it(monkeypatch, tmp_path):
    hasher = ITQ(8, random_state=0).fit(vectors(100))
    hasher.save(tmp_path / "new")
    assert "norm_correction" not in storage.read_arrays(tmp_path / "new", kind="hasher")[1]["parameters"]
    known = hasher.get_params()
    del known["norm_correction"]
    monkeypatch.setattr(ITQ, "get_params", lambda self, deep=True: known)  # as of a version that had no such argument
    assert fingerprint(hasher) == load_hasher(tmp_path / "new").fingerprint()


@pytest.mark.parametrize("metric", METRICS)
def test_threads_and_batches_never_change_it(metric):
    X = vectors(1500)
    with threadpool_limits(1):
        one = ITQ(16, random_state=0, norm_correction=metric).fit(X)
        bias = one.code_bias(X)
    with threadpool_limits(4):
        four = ITQ(16, random_state=0, norm_correction=metric).fit(X)
        assert_array_equal(four.norm_correction_, one.norm_correction_)
        assert_array_equal(four.code_bias(X), bias)
    assert_array_equal(np.concatenate([one.code_bias(X[start : start + 333]) for start in range(0, 1500, 333)]), bias)


@pytest.mark.parametrize("metric", METRICS)
def test_a_saved_hasher_gives_the_same_bias(metric, tmp_path):
    X = vectors(1500)
    hasher = SignHash(norm_correction=metric, random_state=0).fit(X)
    hasher.save(tmp_path / "hasher")
    loaded = load_hasher(tmp_path / "hasher")
    assert loaded.has_bias
    assert_array_equal(loaded.code_bias(X), hasher.code_bias(X))
    assert loaded.fingerprint() == hasher.fingerprint()


@pytest.mark.parametrize(
    "damaged", [np.array([-0.1, 1.0, 0.0]), np.array([0.1, 0.0, 0.0]), np.array([0.1, 1.0]), np.full(3, np.nan)]
)
@pytest.mark.parametrize("kind", [ITQ, SignHash])
def test_a_file_with_a_damaged_correction_is_refused(kind, damaged, tmp_path):
    path = tmp_path / "hasher"
    kind(8, random_state=0, norm_correction="euclidean").fit(vectors(100)).save(path)
    arrays, header = storage.read_arrays(path, kind="hasher")
    storage.write_arrays(path, arrays | {"norm_correction_": damaged}, kind="hasher", header=header)
    with pytest.raises(FileFormatError, match="norm_correction_"):
        load_hasher(path)


@pytest.mark.parametrize("value", ["cosine", True, 1, ""])
@pytest.mark.parametrize("kind", CORRECTED)
def test_another_metric_is_refused(kind, value):
    with pytest.raises(InvalidInputError, match=r"norm_correction must be None .* euclidean or inner-product"):
        kind(norm_correction=value).check_options()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "X",
    [np.ones((1, 4)), np.ones((50, 4)), np.zeros((50, 4)), np.eye(4)[:2], np.repeat(np.eye(4), 9, axis=0)],
    ids=["one row", "equal rows", "zeros", "two rows", "few distinct rows"],
)
def test_data_that_teach_nothing_give_no_bias_and_no_warning(X, metric):
    hasher = RandomHyperplanes(8, random_state=0, center=True, norm_correction=metric).fit(X)
    assert hasher.code_bias(X) is None


@pytest.mark.parametrize("scale", [1e-20, 1e25])
@pytest.mark.parametrize("metric", METRICS)
def test_the_unit_of_the_data_does_not_matter(metric, scale):
    X = vectors(1000)
    plain, scaled = (SignHash(norm_correction=metric, random_state=0).fit(X * factor) for factor in (1.0, scale))
    assert scaled.norm_correction_[0] == plain.norm_correction_[0]
    np.testing.assert_allclose(scaled.code_bias(X * scale) / scale, plain.code_bias(X), rtol=1e-4, atol=1e-6)


def test_a_bias_stays_within_float32():
    hasher = SignHash(norm_correction="inner-product", random_state=0).fit(vectors(1000))
    assert np.isfinite(hasher.code_bias(np.full((2, 24), 1e30))).all()
