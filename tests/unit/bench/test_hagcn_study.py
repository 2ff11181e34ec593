"""The study of HAGCN's filters measures by class, and chooses settings on training rows alone."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from hammingway import Codes
from hammingway.datasets.named import load

SCRIPTS = Path(__file__).parents[3] / "benchmarks" / "quality"


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("hagcn")


def random_codes(n, seed):
    return Codes.from_bits(np.random.default_rng(seed).integers(0, 2, (n, 32), dtype=np.uint8))


def test_random_codes_are_at_chance_by_class_and_at_nine_tenths_by_the_published_relevance(study):
    data = load("digits")
    found = study.quality(random_codes(300, 0), random_codes(1497, 1), data)
    assert found["mAP@all"] == pytest.approx(0.1, abs=0.01)
    assert found["mAP@200 published relevance"] == pytest.approx(0.9, abs=0.01)


def test_codes_of_the_class_are_perfect_by_class(study):
    data = load("digits")
    bits = np.eye(10, dtype=np.uint8)
    found = study.quality(Codes.from_bits(bits[data.query_labels]), Codes.from_bits(bits[data.database_labels]), data)
    assert found["mAP@all"] == 1
    assert found["mAP@200 hits only"] == 1


def test_settings_are_chosen_among_training_rows(study, monkeypatch):
    monkeypatch.setattr(study, "N_TUNING_QUERIES", 200)
    data = load("digits")
    inner = study.within_training(data)
    assert set(inner.query_ids) | set(inner.database_ids) <= set(data.training_ids)
    assert not set(inner.query_ids) & set(inner.training_ids)
    np.testing.assert_array_equal(inner.queries, data.training[-200:])
    np.testing.assert_array_equal(inner.query_labels, data.training_labels[-200:])


def test_features_are_components_of_the_training_rows_over_one_deviation(study):
    data = load("digits")
    features = study.features(data, 5)
    training = data.training.astype(np.float64)
    centered = training - training.mean(axis=0)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    expected = centered @ vectors[:, ::-1][:, :5]
    expected /= np.sqrt(np.mean(expected**2))
    np.testing.assert_allclose(np.abs(features.training), np.abs(expected), rtol=1e-4, atol=1e-4)
    assert features.queries.shape == (300, 5)
