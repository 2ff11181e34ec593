"""From the shell a hasher with a norm correction ranks as it does in the library."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hammingway import load_hasher
from hammingway.indexes import FlatIndex, load_index


@pytest.fixture
def model(run, tmp_path):
    """A hasher that learnt a bias from vectors of unequal norms."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((800, 16)) * np.exp(0.4 * rng.standard_normal((800, 1)))
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    arguments = ["--hasher", "pcar", "--bits", 12, "--param", "norm_correction=inner-product"]
    assert run("fit", tmp_path / "x.npy", *arguments, "--out", tmp_path / "m").exit_code == 0
    assert load_hasher(tmp_path / "m").has_bias
    return tmp_path / "m"


@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_index_keeps_the_bias_and_search_adds_it(kind, model, run, tmp_path):
    vectors, out = tmp_path / "x.npy", tmp_path / "i"
    assert run("index", vectors, "--model", model, "--kind", kind, "--out", out).exit_code == 0
    assert load_index(out).has_bias
    result = run("search", out, vectors, "--model", model, "--asymmetric", "-k", 5, "--json")
    found = [json.loads(line)["ids"] for line in result.stdout.splitlines()]
    hasher, X = load_hasher(model), np.load(vectors)
    index = FlatIndex(12).add(hasher.encode(X), bias=hasher.code_bias(X))
    np.testing.assert_array_equal(found, index.search_asymmetric(hasher.project_queries(X), 5).ids)


def test_a_database_without_the_bias_is_refused(model, run, tmp_path):
    vectors, codes = tmp_path / "x.npy", tmp_path / "x.codes"
    assert run("encode", model, vectors, "--out", codes).exit_code == 0
    result = run("search", codes, vectors, "--model", model, "--asymmetric")
    assert result.exit_code != 0
    assert "hammingway index --model" in result.stderr
    assert run("search", codes, vectors, "--model", model).exit_code == 0


@pytest.mark.parametrize("kind", ["flat", "ivf", "multi", "table"])
def test_an_index_of_no_vectors_is_searched_and_finds_nothing(kind, model, run, tmp_path):
    np.save(tmp_path / "none.npy", np.empty((0, 16), np.float32))
    assert run("index", tmp_path / "none.npy", "--model", model, "--kind", kind, "--out", tmp_path / "i").exit_code == 0
    result = run("search", tmp_path / "i", tmp_path / "x.npy", "--model", model, "--asymmetric", "--json")
    assert result.exit_code == 0, result.stderr
    assert [json.loads(line)["ids"] for line in result.stdout.splitlines()] == [[]] * 800
