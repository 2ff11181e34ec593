import tracemalloc
from importlib.metadata import entry_points

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from hammingway import hashers, registry
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.hashers import ITQ, PCAHash, RandomHyperplanes, SpectralHash, SupervisedITQ, base
from hammingway.testing.hashers import sample

# Networks keep their training rows and are trained for many epochs; tests/unit/deep has tests of theirs.
DEEP = {each.name for each in entry_points(group="hammingway.hashers") if each.module.startswith("hammingway.deep.")}
NAMES = [name for name in registry.names("hashers") if name not in DEEP]
N_ROWS, N_FEATURES, N_BITS = 400_000, 128, 32


@pytest.fixture(scope="module")
def big_file(tmp_path_factory):
    """A memory-mapped float16 file of 102 MB: as float64 it would be 410 MB."""
    path = tmp_path_factory.mktemp("data") / "big.npy"
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(N_ROWS, N_FEATURES))
    rng = np.random.default_rng(0)
    for start in range(0, N_ROWS, 50_000):
        X[start : start + 50_000] = rng.standard_normal((50_000, N_FEATURES), dtype=np.float32)
    X.flush()
    return np.load(path, mmap_mode="r")


def peak_megabytes(work):
    """Return the peak of memory allocated while ``work`` runs, in MB; mapped file pages are not allocated."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


FIT_MEGABYTES = {"distilled": 300}  # it holds its sample, their neighbours, and the scores of a step; not the file


@pytest.mark.parametrize("name", NAMES)
def test_file_of_100_megabytes_is_fitted_and_encoded_in_12(big_file, name):
    hasher = registry.load("hashers", name)(N_BITS, random_state=0, max_training_rows=10_000)
    labels = np.arange(N_ROWS, dtype=np.int32) % 9
    assert peak_megabytes(lambda: hasher.fit(big_file, labels)) < FIT_MEGABYTES.get(name, 12)
    assert peak_megabytes(lambda: hasher.encode(big_file)) < 12


def test_covariance_of_all_rows_of_a_large_file_is_streamed(big_file):
    part = big_file[:100_000]  # 26 MB, as float64 102 MB
    hasher = PCAHash(N_BITS, max_training_rows=None)
    assert peak_megabytes(lambda: hasher.fit(part)) < 8
    np.testing.assert_allclose(hasher.mean_, np.array(part, dtype=np.float32).mean(axis=0, dtype=np.float64), atol=1e-9)


def test_memory_map_larger_than_its_sample_has_the_codes_of_the_array(big_file):
    part = big_file[:5000]
    hasher = ITQ(N_BITS, random_state=0, max_training_rows=2000, n_iterations=5)
    from_map, from_array = clone(hasher).fit(part), clone(hasher).fit(np.array(part))
    assert from_map.fingerprint() == from_array.fingerprint()
    assert_array_equal(from_map.encode(part).packed, from_array.encode(np.array(part)).packed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("block_bytes", [1, 8 * 24 * 5, 2**30])
def test_scores_do_not_depend_on_the_block_size(monkeypatch, name, block_bytes):
    data = sample(n_rows=1500)
    hasher = registry.load("hashers", name)(16, random_state=0).fit(data.X, data.y)
    scores = hasher.project(data.X)
    monkeypatch.setattr(base, "_BLOCK_BYTES", block_bytes)
    assert_array_equal(hasher.project(data.X), scores)
    assert_array_equal(hasher.encode(data.X).unpack(), scores > 0)


def test_sample_depends_on_the_seed_alone():
    X = sample(n_rows=1000).X
    first, again, other = (PCAHash(8, random_state=seed, max_training_rows=100).fit(X) for seed in (0, 0, 1))
    assert_array_equal(first.mean_, again.mean_)
    assert np.any(first.mean_ != other.mean_)


def test_nan_outside_the_sample_is_found_when_encoding():
    X = sample(n_rows=1000).X
    hasher = PCAHash(8, random_state=0, max_training_rows=100).fit(X)
    X[999, 0] = np.nan
    with pytest.raises(InvalidInputError, match="NaN in row 999, column 0"):
        hasher.encode(X)


@pytest.mark.parametrize("n_bits", [0, -1, 4097, 2.0, "8", True])
@pytest.mark.parametrize("name", NAMES)
def test_impossible_n_bits_is_refused_by_fit(name, n_bits):
    data = sample()
    with pytest.raises(InvalidInputError, match="n_bits must be a whole number from 1 to 4096"):
        registry.load("hashers", name)(n_bits).fit(data.X, data.y)


@pytest.mark.parametrize("value", [0, -5, 1.5, "all", True])
def test_impossible_max_training_rows_is_refused_by_fit(value):
    with pytest.raises(InvalidInputError, match="max_training_rows"):
        PCAHash(4, max_training_rows=value).fit(sample().X)


def test_impossible_random_state_is_refused_by_fit():
    with pytest.raises(InvalidInputError, match="random_state"):
        RandomHyperplanes(4, random_state="seed").fit(sample().X)


@pytest.mark.parametrize("kind", [hashers.PCAHash, hashers.RotatedPCAHash, hashers.ITQ, hashers.SignHash])
def test_more_bits_than_features_are_refused_naming_hashers_that_can(kind):
    with pytest.raises(
        InvalidInputError, match=r"n_features = 24; use RandomHyperplanes \[lsh\] or SpectralHash \[sh\]"
    ):
        kind(25).fit(sample().X)


@pytest.mark.parametrize("kind", [RandomHyperplanes, SpectralHash, SupervisedITQ])
@pytest.mark.parametrize("n_bits", [25, 65, 4096])
def test_more_bits_than_features_are_possible_elsewhere(kind, n_bits):
    data = sample()
    codes = kind(n_bits, random_state=0).fit(data.X, data.y).encode(data.X)
    assert codes.n_bits == n_bits
    assert len(np.unique(codes.packed, axis=0)) > 5


@pytest.mark.parametrize("kind", [hashers.PCAHash, hashers.RotatedPCAHash, hashers.ITQ])
def test_too_few_rows_for_the_directions_are_refused(kind):
    X = sample().X
    with pytest.raises(ShapeError, match="at least 17 training rows; got n_samples = 16"):
        kind(16).fit(X[:16])
    assert len(kind(16).fit(X[:17]).encode(X)) == 300


@pytest.mark.parametrize("kind", [PCAHash, hashers.RotatedPCAHash, ITQ, SpectralHash])
@pytest.mark.parametrize("row", [np.ones(12), np.random.default_rng(0).normal(size=12), np.full(12, 1e-80)])
def test_equal_rows_are_refused_though_their_sum_rounds(kind, row):
    with pytest.raises(InvalidInputError, match="all equal"):
        kind(2).fit(np.tile(row, (60, 1)))


def test_fit_with_a_sample_smaller_than_needed_is_refused():
    with pytest.raises(InvalidInputError, match="at least 9 training rows; max_training_rows=8"):
        PCAHash(8, max_training_rows=8).fit(sample().X)


def test_wrong_width_is_named():
    hasher = PCAHash(8).fit(sample().X)
    with pytest.raises(ShapeError, match="X has 23 features, but PCAHash is expecting 24"):
        hasher.encode(sample().X[:, 1:])


def test_random_state_object_is_consumed_and_left_in_place():
    rng = np.random.RandomState(3)
    hasher = RandomHyperplanes(8, random_state=rng)
    first = hasher.fit(sample().X).weights_
    assert hasher.random_state is rng
    assert np.any(hasher.fit(sample().X).weights_ != first)


def test_hasher_works_in_a_pipeline_and_a_grid_search():
    data = sample()
    pipeline = make_pipeline(ITQ(random_state=0, n_iterations=3), KNeighborsClassifier(1, metric="hamming"))
    search = GridSearchCV(pipeline, {"itq__n_bits": [4, 16]}, cv=3).fit(data.X, data.y)
    assert search.best_score_ > 0.5
    assert search.predict(data.X).shape == (300,)


def test_arguments_are_stored_untouched():
    bits = np.int64(8)
    hasher = PCAHash(bits)
    assert hasher.n_bits is bits
    assert clone(hasher).get_params() == hasher.get_params()


def test_packed_columns_have_names():
    data = sample()
    assert list(PCAHash(9).fit(data.X).get_feature_names_out()) == ["pcahash0", "pcahash1"]
