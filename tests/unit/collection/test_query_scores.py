"""A collection ranks by the map that its encoder has for queries, not by that of the stored items."""

from __future__ import annotations

import numpy as np
import pytest

from hammingway import Collection, RandomHyperplanes
from hammingway.errors import InvalidInputError
from hammingway.testing.hashers import check_query_scores, sample


def flipped(self, X):
    return -self.project(X)


def test_asymmetric_search_uses_the_scores_of_queries(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(50, 6))
    hasher = RandomHyperplanes(16, random_state=0).fit(rows)
    with Collection.create(tmp_path / "items", encoder=hasher) as collection:
        collection.add(rows)
        plain = collection.search(rows[:3], 50, query_bits=8)
        monkeypatch.setattr(RandomHyperplanes, "project_queries", flipped)
        turned = collection.search(rows[:3], 50, query_bits=8)
    np.testing.assert_allclose(turned.scores, -plain.scores[:, ::-1])


def test_an_encoder_with_a_bias_is_refused_at_creation(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(800, 16)) * np.exp(0.4 * rng.normal(size=(800, 1)))
    hasher = RandomHyperplanes(16, random_state=0, norm_correction="inner-product").fit(rows)
    with pytest.raises(InvalidInputError, match="without a bias"):
        Collection.create(tmp_path / "items", encoder=hasher)
    assert not (tmp_path / "items").exists()
    level = RandomHyperplanes(16, random_state=0, norm_correction="inner-product").fit(np.ones((20, 16)))
    Collection.create(tmp_path / "items", encoder=level).close()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda self, X: self.project(X).astype(np.float64), "float64, not float32"),
        (lambda self, X: self.project(X)[:, 1:], "have shape"),
        (lambda self, X: self.project(X) + np.float32(len(X)), "7 at a time|1 at a time"),
        (lambda self, X: np.full((len(X), self.n_bits_), np.nan, np.float32), "not all finite"),
    ],
)
def test_the_contract_refuses_query_scores_that_break_it(monkeypatch, wrong, complaint):
    monkeypatch.setattr(RandomHyperplanes, "project_queries", wrong)
    with pytest.raises(AssertionError, match=complaint):
        check_query_scores(RandomHyperplanes(9, random_state=0), sample())
