"""Asymmetric and re-ranked runs find what a plain computation over all pairs finds."""

import msgspec
import numpy as np
import pytest

from hammingway import registry
from hammingway.bench.data import hold_out
from hammingway.bench.evaluate import prepare, run
from hammingway.bench.spec import Component, DataSpec, PlanSpec
from hammingway.errors import ConfigError
from hammingway.indexes.flat import FlatIndex

NAMES = ("asymmetric-8", "asymmetric-4", "rerank-30", "asymmetric-8+rerank-30")


def plan(*, metric="euclidean", rankings=NAMES):
    data = DataSpec(dataset="vectors", n_queries=20, metric=metric)
    return PlanSpec(
        data=data,
        hashers=(Component(name="itq"),),
        n_bits=(16,),
        repeats=1,
        rankings=rankings,
    )


def setting_of(metric):
    vectors = np.random.default_rng(3).normal(size=(300, 20)).astype(np.float32) + 1
    wanted = plan(metric=metric)
    return prepare(hold_out(vectors, wanted.data), wanted)


def distances(queries, database, metric):
    queries, database = queries.astype(float), database.astype(float)
    if metric == "euclidean":
        return ((queries[:, None] - database[None]) ** 2).sum(axis=2)
    if metric == "cosine":
        queries, database = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, database))
    return -queries @ database.T


def recall(order, near, rank):
    return np.mean([len(set(a[:rank]) & set(b[:10])) / 10 for a, b in zip(order, near, strict=True)])


def oracle(setting, metric):
    data = setting.data
    hasher = registry.load("hashers", "itq")(16, random_state=0).fit(data.training)
    signs = np.where(hasher.encode(data.database).unpack(), 1, -1)
    scores = hasher.project_queries(data.queries).astype(float)
    bits = np.where(hasher.encode(data.queries).unpack(), 1, -1)
    exact = distances(data.queries, data.database, metric)
    ranks = {"symmetric": -(bits @ signs.T)}
    for width in (8, 4):
        unit = np.abs(scores).max(axis=1, keepdims=True) / (2 ** (width - 1) - 1)
        ranks[f"asymmetric-{width}"] = -np.rint(scores / unit) @ signs.T
    orders = {name: np.argsort(values, axis=1, kind="stable") for name, values in ranks.items()}
    for name, base in (("rerank-30", "symmetric"), ("asymmetric-8+rerank-30", "asymmetric-8")):
        short = np.sort(orders[base][:, :30], axis=1)
        inner = np.argsort(np.take_along_axis(exact, short, axis=1), axis=1, kind="stable")
        orders[name] = np.take_along_axis(short, inner, axis=1)
    return orders, np.argsort(exact, axis=1, kind="stable")


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "inner-product"])
def test_every_ranking_recalls_what_the_plain_computation_does(metric):
    setting = setting_of(metric)
    record = run(plan(metric=metric).runs()[0], setting)
    orders, near = oracle(setting, metric)
    assert list(record.rankings) == list(NAMES)
    assert record.quality["r10@10"] == pytest.approx(recall(orders["symmetric"], near, 10))
    for name, result in record.rankings.items():
        assert result.quality["r10@10"] == pytest.approx(recall(orders[name], near, 10)), name
        assert len(result.batch_seconds) >= 1
        assert [len(one) for one in result.single_seconds] == [20]
    for name in NAMES[:2]:
        assert record.rankings[name].quality["r10@100"] == pytest.approx(recall(orders[name], near, 100))
    for name in NAMES[2:]:  # thirty results hold no hundred
        assert "r10@100" not in record.rankings[name].quality
        assert record.rankings[name].curves["recall"][-1][0] == 30


def test_a_short_list_of_the_whole_database_is_the_exact_answer():
    record = run(plan(rankings=("rerank-280", "rerank-100000")).runs()[0], setting_of("euclidean"))
    assert [result.quality["r10@10"] for result in record.rankings.values()] == [1.0, 1.0]


def test_an_index_without_asymmetric_search_is_named(monkeypatch):
    setting = setting_of("euclidean")
    monkeypatch.delattr(FlatIndex, "search_asymmetric")
    with pytest.raises(ConfigError, match="flat has no asymmetric search"):
        run(plan().runs()[0], setting)


@pytest.mark.parametrize(
    "name",
    ["", "symmetric", "asymmetric-5", "rerank-0", "rerank-", "asymmetric-8rerank-9", "asymmetric-8+", "+rerank-9"],
)
def test_an_unknown_ranking_is_refused_before_anything_is_measured(name):
    with pytest.raises(ConfigError, match="there is no ranking"):
        plan(rankings=(name,)).runs()


def test_a_ranking_that_stands_twice_is_refused():
    with pytest.raises(ConfigError, match="stands twice"):
        plan(rankings=("rerank-9", "rerank-9")).runs()


def test_the_bias_of_a_norm_correction_is_searched_with():
    rng = np.random.default_rng(3)
    vectors = (rng.normal(size=(900, 20)) * np.exp(0.4 * rng.normal(size=(900, 1)))).astype(np.float32)
    wanted = plan(metric="inner-product", rankings=("asymmetric-8",))
    setting = prepare(hold_out(vectors, wanted.data), wanted)
    corrected = Component(name="itq", params={"norm_correction": "inner-product"})
    wanted = msgspec.structs.replace(wanted, hashers=(corrected,))
    found = run(wanted.runs()[0], setting).rankings["asymmetric-8"].quality["r10@10"]
    data = setting.data
    hasher = registry.load("hashers", "itq")(16, random_state=0, norm_correction="inner-product").fit(data.training)
    index = FlatIndex(16).add(hasher.encode(data.database), bias=hasher.code_bias(data.database))
    ids = index.search_asymmetric(hasher.project_queries(data.queries), 10).ids
    assert found == pytest.approx(recall(ids, setting.truth, 10))
