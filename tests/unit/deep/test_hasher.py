"""The estimator: images, labels of all kinds, queries with a network of their own, and files."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.utils import get_tags

from hammingway import registry, storage
from hammingway.deep import DSH, DeepHasher, HashNet
from hammingway.deep.networks.base import make_network
from hammingway.deep.objectives.dsh import DSHObjective
from hammingway.errors import ConfigError, FileFormatError, InvalidInputError, ShapeError
from hammingway.hashers import load_hasher
from hammingway.indexes import FlatIndex
from hammingway.neighbors import HammingNeighbors

TINY = {"epochs": 1}


class WithQueryMap(DSHObjective):
    """DSH, and a linear map of its own for queries."""

    def __init__(self, options, shape):
        super().__init__(options, shape)
        self.query_map = make_network("linear", {"bias": False}, input_shape=shape.input_shape, n_bits=shape.n_bits)

    def forward(self, scores, batch):
        return super().forward(scores, batch) + ((self.query_map(batch.x) - scores) ** 2).mean()

    def thresholds(self, scores):
        return scores.median(dim=0).values


@pytest.fixture
def with_query_map(monkeypatch):
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda kind, name: WithQueryMap if (kind, name) == ("objectives", "dsh") else load(kind, name)
    )


def test_codes_of_one_class_are_found_together(digits):
    X, y = digits
    hasher = HashNet(32, random_state=0, training={"epochs": 30}).fit(X[100:], y[100:])
    found = FlatIndex(32).add(hasher.encode(X[100:])).search(hasher.encode(X[:100]), 5)
    assert (y[100:][found.ids] == y[:100, None]).mean() > 0.8


@pytest.mark.parametrize(
    ("objective", "needed"), [("dsh", True), ({"name": "csq"}, True), ("autohash", False), (None, True)]
)
def test_neighbours_by_a_deep_hasher_need_labels_where_its_objective_does(blobs, objective, needed):
    X, y = blobs
    hasher = DeepHasher(8, objective=objective, network="linear", training=TINY, random_state=0)
    assert get_tags(HammingNeighbors(hasher)).target_tags.required is needed
    assert get_tags(HammingNeighbors(hasher.fit(X, y))).target_tags.required is needed


@pytest.mark.parametrize(("kind", "objective", "needed"), [(DeepHasher, "csq", True), (DSH, "autohash", False)])
def test_fitted_and_loaded_hashers_need_labels_where_their_objective_does(blobs, tmp_path, kind, objective, needed):
    hasher = kind(8, objective=objective, network="linear", training=TINY, random_state=0)
    assert get_tags(hasher).target_tags.required is needed
    hasher.fit(*blobs).save(tmp_path / "x.hasher")
    for fitted in (hasher, load_hasher(tmp_path / "x.hasher")):
        fitted.encode(blobs[0])
        assert get_tags(fitted).target_tags.required is needed


def test_labels_may_be_strings_or_whole_floats_or_numbers_with_gaps(blobs):
    X, y = blobs
    expected = DSH(8, random_state=0, training=TINY).fit(X, y).fingerprint()
    for labels in (np.array(["a", "b", "c", "d"])[y], y.astype(float), 10 * y - 7, y[:, None]):
        assert DSH(8, random_state=0, training=TINY).fit(X, labels).fingerprint() == expected


def test_indicators_of_one_label_each_are_the_same_as_classes(blobs):
    X, y = blobs
    by_class = DSH(8, random_state=0, training=TINY).fit(X, y).fingerprint()
    assert DSH(8, random_state=0, training=TINY).fit(X, np.eye(4, dtype=int)[y]).fingerprint() == by_class


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        (np.zeros(120), InvalidInputError, "only one class"),
        (np.arange(119), ShapeError, "one label"),
        (np.linspace(0, 1, 120), InvalidInputError, "continuous"),
        (np.full((120, 3), 0.5), InvalidInputError, "indicator"),
        (np.full(120, np.nan), InvalidInputError, "NaN"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(blobs, labels, error, said):
    with pytest.raises(error, match=said):
        DSH(8, training=TINY).fit(blobs[0], labels)


def test_images_reach_the_network_as_channels_rows_and_columns(digits):
    X, y = digits
    hasher = DSH(8, image_shape=(8, 8, 1), random_state=0, training=TINY).fit(X, y)
    assert hasher.network_.input_shape == (1, 8, 8)
    assert hasher.network_.standardize.mean.shape == (1, 1, 1)
    assert float(hasher.network_.standardize.mean) == pytest.approx(X.mean())
    assert float(hasher.network_.standardize.deviation) == pytest.approx(X.std())


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((8, 8, 2), ShapeError),
        ((8, 8), InvalidInputError),
        ((8.0, 8, 1), InvalidInputError),
        ("8x8", InvalidInputError),
    ],
)
def test_image_shape_that_does_not_fit_is_refused(digits, shape, error):
    with pytest.raises(error, match="image_shape"):
        DSH(8, image_shape=shape, training=TINY).fit(*digits)


def test_flips_of_vectors_are_refused(blobs):
    with pytest.raises(InvalidInputError, match="image_shape"):
        DSH(8, training={"epochs": 1, "augment": "flip"}).fit(*blobs)


@pytest.mark.parametrize(
    "parameters", [{}, {"image_shape": [8, 8, 1]}, {"network": {"name": "mlp", "batch_norm": True}}]
)
def test_hasher_comes_back_from_its_file(digits, tmp_path, parameters):
    X, y = digits
    hasher = DSH(13, random_state=0, training={"epochs": 2}, **parameters).fit(X, y)
    hasher.save(tmp_path / "dsh.hasher")
    loaded = load_hasher(tmp_path / "dsh.hasher")
    assert loaded.get_params() == hasher.get_params()
    assert loaded.fingerprint() == hasher.fingerprint()
    assert_array_equal(loaded.project(X), hasher.project(X))
    assert loaded.training_log_ == []


def test_file_is_loaded_without_the_objective_or_the_loop(digits, tmp_path):
    X, y = digits
    hasher = DeepHasher(13, objective="jmlh", random_state=0, training=TINY).fit(X, y)
    hasher.save(tmp_path / "x.hasher")
    np.save(tmp_path / "X.npy", X[:5])
    script = f"""
import sys
import numpy as np
from hammingway.hashers import load_hasher
print(load_hasher({str(tmp_path / "x.hasher")!r}).encode(np.load({str(tmp_path / "X.npy")!r})).packed.tolist())
print([name for name in sys.modules if name == "hammingway.deep.objectives.jmlh"])
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == [str(hasher.encode(X[:5]).packed.tolist()), "[]"]


def test_objective_that_is_gone_does_not_stop_a_load(digits, tmp_path):
    hasher = DeepHasher(13, objective="dsh", random_state=0, training=TINY).fit(*digits)
    hasher.set_params(objective="of-a-plugin-that-was-removed").save(tmp_path / "x.hasher")
    assert_array_equal(load_hasher(tmp_path / "x.hasher").project(digits[0]), hasher.project(digits[0]))


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({}, "names no network"),
        ({"network": {"name": "gone", "options": {}}}, "cannot be built"),
        ({"network": {"name": "mlp", "options": {"hiden": []}}}, "Did you mean 'hidden'"),
        ({"network": {"name": "mlp", "options": {"hidden": [3]}}}, "was expected"),
        ({"network": {"name": "linear", "options": {}}}, "head.weight"),
    ],
)
def test_file_whose_network_does_not_fit_is_refused(digits, tmp_path, description, said):
    path = tmp_path / "x.hasher"
    DSH(13, random_state=0, training=TINY).fit(*digits).save(path)
    arrays, header = storage.read_arrays(path, kind="hasher")
    storage.write_arrays(path, arrays, kind="hasher", header=header | {"description": description})
    with pytest.raises(FileFormatError, match=said):
        load_hasher(path)


def test_queries_have_the_scores_of_their_own_network_before_and_after_saving(digits, tmp_path, with_query_map):
    X, y = digits
    hasher = DSH(13, random_state=0, training={"epochs": 2}).fit(X, y)
    queries = hasher.project_queries(X)
    assert not np.array_equal(queries, hasher.project(X))
    with torch.no_grad():
        expected = hasher.query_network_(torch.from_numpy(X).float()).numpy()
    np.testing.assert_allclose(queries, expected, atol=1e-5)
    assert_array_equal(np.vstack([hasher.project_queries(X[row : row + 1]) for row in range(5)]), queries[:5])
    hasher.save(tmp_path / "x.hasher")
    assert_array_equal(load_hasher(tmp_path / "x.hasher").project_queries(X), queries)


def test_thresholds_are_subtracted_and_saved(digits, tmp_path, with_query_map):
    X, y = digits
    hasher = DSH(13, random_state=0, training={"epochs": 2}).fit(X, y)
    assert np.all(hasher.thresholds_ != 0)
    assert_array_equal(hasher.encode(X).unpack().sum(axis=0), np.full(13, 150))  # medians of 300 rows
    hasher.save(tmp_path / "x.hasher")
    assert_array_equal(load_hasher(tmp_path / "x.hasher").project(X), hasher.project(X))


def test_queries_are_scored_as_rows_where_there_is_no_network_of_their_own(digits):
    hasher = DSH(13, random_state=0, training=TINY).fit(*digits)
    assert_array_equal(hasher.project_queries(digits[0]), hasher.project(digits[0]))


def test_memory_limit_on_rows_kept_changes_nothing(digits, monkeypatch):
    expected = DSH(13, random_state=0, training={"epochs": 2}).fit(*digits).fingerprint()
    monkeypatch.setattr("hammingway.deep.batches._HELD_BYTES", 0)
    assert DSH(13, random_state=0, training={"epochs": 2}).fit(*digits).fingerprint() == expected


def test_sample_of_training_rows_is_what_is_learnt_from(digits):
    X, y = digits
    seen = []
    DSH(8, random_state=0, max_training_rows=50, training={"epochs": 1, "batch_size": 25}).fit(
        X, y, progress=lambda done, total: seen.append(total)
    )
    assert seen[-1] == 2


def test_hasher_stays_on_the_cpu_unless_told(digits):
    hasher = DSH(8, random_state=0, training=TINY).fit(*digits)
    assert hasher.to("cpu") is hasher
    with pytest.raises(ConfigError):
        hasher.to("abacus")


def test_names_of_the_package_load_no_torch_until_used():
    script = "import sys, hammingway.deep; print('torch' in sys.modules, sorted(dir(hammingway.deep)))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("False")
    import hammingway.deep

    for name in hammingway.deep.__all__:
        assert getattr(hammingway.deep, name).__name__ == name


def test_missing_torch_is_told_with_the_extra():
    script = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else found(name, *rest)
from hammingway import registry
try:
    registry.load("hashers", "dsh")
except ImportError as error:
    print(type(error).__name__, error)
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("MissingExtraError")
    assert "hammingway[torch]" in printed
