"""The study of table codes counts what lies in the buckets that were looked up."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from hammingway import TableIndex
from hammingway.bench.data import hold_out
from hammingway.bench.evaluate import prepare
from hammingway.bench.spec import DataSpec
from hammingway.bench.variants import TrainingPlan
from hammingway.hashers import RandomHyperplanes

SCRIPTS = Path(__file__).parents[3] / "benchmarks" / "quality"


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("autohash")


@pytest.fixture(scope="module")
def setting():
    vectors = np.random.default_rng(0).normal(size=(460, 16)).astype(np.float32)
    spec = DataSpec(dataset="vectors.npy", n_queries=60, n_database=400, metric="inner-product")
    return prepare(hold_out(vectors, spec), TrainingPlan(data=spec, base={"hasher": "lsh", "n_bits": 7}))


@pytest.mark.parametrize("radius", [0, 1, 2, 7])
def test_recall_and_candidates_of_a_radius_are_those_of_all_pairs(study, setting, radius):
    hasher = RandomHyperplanes(7, random_state=0).fit(setting.data.training)
    database, queries = hasher.encode(setting.data.database), hasher.encode(setting.data.queries)
    index = TableIndex(7, max_flips=radius, max_probes=2**62).add(database)
    found = study.point(index, queries, None, setting)
    ones = [hasher.project(rows) > 0 for rows in (setting.data.queries, setting.data.database)]
    inside = (ones[0][:, None, :] != ones[1][None, :, :]).sum(axis=2) <= radius
    assert found["candidates"] == pytest.approx(inside.sum(axis=1).mean())
    assert found["recall"] == pytest.approx(np.take_along_axis(inside, setting.truth, axis=1).mean())
    assert found["probes"] == [1, 8, 29, 128][[0, 1, 2, 7].index(radius)]


def test_as_many_candidates_are_looked_at_as_are_allowed(study, setting):
    hasher = RandomHyperplanes(7, random_state=0).fit(setting.data.training)
    scores = hasher.project(setting.data.queries)
    index = TableIndex(7, max_candidates=50, max_probes=2**62).add(hasher.encode(setting.data.database))
    assert study.point(index, hasher.encode(setting.data.queries), scores, setting)["candidates"] == 50


def test_empty_places_of_a_query_are_marked(study, setting):
    hasher = RandomHyperplanes(7, random_state=0).fit(setting.data.training)
    queries = hasher.encode(setting.data.queries)
    index = TableIndex(7, max_probes=1).add(hasher.encode(setting.data.database))
    found = study.found_by(index, queries, None)
    table = study.padded(found)
    assert table.shape == (60, found.counts.max())
    for row, (ids, _) in zip(table, found, strict=True):
        assert row[: len(ids)].tolist() == ids.tolist()
        assert set(row[len(ids) :]) <= {-1}
