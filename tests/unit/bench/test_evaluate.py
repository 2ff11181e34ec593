from dataclasses import replace

import numpy as np
import pytest

from hammingway import ITQ, TableIndex, registry, rerank
from hammingway.bench import evaluate
from hammingway.bench.data import hold_out
from hammingway.bench.evaluate import prepare, run, run_plan
from hammingway.bench.spec import Component, DataSpec, PlanSpec
from hammingway.bench.store import RecordStore
from hammingway.errors import ConfigError, UnknownNameError
from hammingway.metrics import recall_at_k

D = 24


def plan(*hashers, n_bits=(16,), **changes):
    data = DataSpec(dataset="vectors", n_queries=20)
    hashers = tuple(Component(name=name) if isinstance(name, str) else name for name in hashers or ("lsh",))
    return PlanSpec(data=data, hashers=hashers, n_bits=n_bits, repeats=2, **changes)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(11)
    centers = rng.normal(size=(6, D)) * 3
    labels = rng.integers(6, size=400)
    return (centers[labels] + rng.normal(size=(400, D))).astype(np.float32), labels


@pytest.fixture(scope="module")
def setting(vectors):
    data = hold_out(vectors[0], plan().data, labels=vectors[1])
    return prepare(data, plan())


@pytest.fixture(scope="module")
def unlabelled(vectors):
    return prepare(hold_out(vectors[0], plan().data), plan())


def test_a_record_holds_every_repeat_and_the_facts(setting):
    record = run(plan().runs()[0], setting)
    assert record.status == "measured"
    assert len(record.costs.batch_seconds) >= 2
    assert sum(record.costs.batch_seconds) >= 0.2
    assert [len(one) for one in record.costs.single_seconds] == [20, 20]
    assert min(record.costs.batch_seconds) > 0
    assert record.costs.encode_rows == record.data.n_database == 380
    assert record.costs.code_bytes == 2
    assert 0 < record.costs.fit_processor_seconds <= record.environment["threads"] * record.costs.fit_seconds + 0.1
    assert record.environment["threads"] >= 1
    assert {"r1@1", "r10@10", "r10@100", "mAP@all", "P@r<=2"} <= set(record.quality)


def test_recall_equals_that_of_an_independent_scan(setting):
    spec = plan("itq").runs()[0]
    record = run(spec, setting)
    hasher = registry.load("hashers", "itq")(n_bits=16, random_state=0).fit(setting.data.training)
    codes, queries = hasher.encode(setting.data.database).unpack(), hasher.encode(setting.data.queries).unpack()
    database = setting.data.database.astype(np.float64)
    hits = 0
    for query, code in zip(setting.data.queries.astype(np.float64), queries, strict=True):
        true = np.argsort(((database - query) ** 2).sum(axis=1), kind="stable")[:10]
        found = np.argsort((codes != code).sum(axis=1), kind="stable")[:10]
        hits += len(set(true) & set(found))
    assert record.quality["r10@10"] == pytest.approx(hits / 200)


def test_a_table_is_probed_in_order_of_confidence_with_and_without_the_originals(setting):
    options = {"bits": 16, "max_probes": 30}
    spec = plan("itq", index=Component(name="table", params=options), rankings=("rerank-50",)).runs()[0]
    record, data = run(spec, setting), setting.data
    hasher = ITQ(16, random_state=0).fit(data.training)
    index = TableIndex(16, **options).add(hasher.encode(data.database))
    queries, scores = hasher.encode(data.queries), hasher.project(data.queries)
    confident, plain = index.search(queries, 100, scores=scores), index.search(queries, 100)
    near = rerank(index.search(queries, 50, scores=scores).ids, data.queries, data.database, 10, metric="euclidean")
    r100 = [recall_at_k(found.ids, setting.truth, k=100).mean() for found in (confident, plain)]
    assert r100[0] > r100[1]
    assert record.quality["r10@100"] == pytest.approx(r100[0])
    r10 = recall_at_k(near.ids, setting.truth, k=10).mean()
    assert record.rankings["rerank-50"].quality["r10@10"] == pytest.approx(r10)


def test_the_same_spec_gives_the_same_quality(setting):
    spec = plan("lsh").runs()[0]
    assert run(spec, setting).quality == run(spec, setting).quality


def test_too_many_bits_are_a_refusal_with_the_reason(setting):
    record = run(plan("pcah", n_bits=(D + 1,)).runs()[0], setting)
    assert record.status == "refused"
    assert str(D) in record.reason
    assert record.costs is None


def test_a_supervised_hasher_is_refused_without_labels(unlabelled):
    record = run(plan("cca-itq").runs()[0], unlabelled)
    assert record.status == "refused"
    assert "labels" in record.reason


def test_whether_labels_are_needed_is_asked_of_the_objective(unlabelled):
    pytest.importorskip("torch")
    own = Component(name="greedyhash", params={"training": {"epochs": 1}})
    without = Component(name="greedyhash", params={**own.params, "objective": "greedyhash-unsupervised"})
    supervised, unsupervised = run_plan(plan(own, without, n_bits=(8,)), unlabelled)
    assert (supervised.status, unsupervised.status) == ("refused", "measured")
    assert supervised.reason == "it needs labels and the data has none"


@pytest.mark.parametrize(("validation_share", "status"), [(0.2, "refused"), (0.0, "measured")])
def test_labels_are_needed_to_choose_the_best_epoch_by_them(unlabelled, validation_share, status):
    pytest.importorskip("torch")
    training = {"epochs": 1, "select": "map", "validation_share": validation_share}
    (record,) = run_plan(plan(Component(name="bihalf", params={"training": training}), n_bits=(8,)), unlabelled)
    assert record.status == status
    assert record.reason == ("it needs labels and the data has none" if status == "refused" else "")


def test_without_labels_only_recall_is_measured(unlabelled):
    assert not any(name.startswith(("mAP", "P@")) for name in run(plan().runs()[0], unlabelled).quality)


def test_parameters_reach_the_hasher(setting):
    centered = Component(name="lsh", params={"center": True})
    plain, changed = run_plan(plan("lsh", centered), setting)
    assert plain.health != changed.health


def test_an_unknown_parameter_is_an_error_with_a_suggestion(setting):
    with pytest.raises(ConfigError, match=r"no parameter 'n_iteration'\. Did you mean 'n_iterations'"):
        run(plan(Component(name="itq", params={"n_iteration": 3})).runs()[0], setting)


def test_an_unknown_hasher_is_an_error(setting):
    with pytest.raises(UnknownNameError, match="Did you mean 'itq'"):
        run(plan("itk").runs()[0], setting)


def test_a_plan_resumes_and_measures_only_what_is_missing(setting, tmp_path):
    store = RecordStore(tmp_path / "records.jsonl")
    first = run_plan(plan("lsh"), setting, store)
    told, steps = [], []
    both = run_plan(
        plan("lsh", "itq"),
        setting,
        store,
        on_record=told.append,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert both[0] == first[0]
    assert told == both
    assert steps == [(1, 2), (2, 2)]
    assert [record.spec.hasher.name for record in store] == ["lsh", "itq"]


def test_other_data_under_the_same_name_is_measured_again(setting, unlabelled, tmp_path):
    store = RecordStore(tmp_path / "records.jsonl")
    run_plan(plan("lsh"), setting, store)
    run_plan(plan("lsh"), unlabelled, store)
    assert [record.data.labelled for record in store] == [True, False]


def test_without_neighbours_sought_the_labels_are_all_that_is_measured(setting, monkeypatch):
    monkeypatch.setattr(evaluate, "exact_neighbors", lambda *a, **k: pytest.fail("neighbours were sought"))
    by_labels = prepare(setting.data, plan(n_true=0))
    (spec,) = plan(n_true=0).runs()
    record, whole = run(spec, by_labels), run(plan().runs()[0], setting)
    recalls = {"r1@1", "r10@10", "r10@100"}
    assert record.quality == {name: value for name, value in whole.quality.items() if name not in recalls}
    assert recalls <= set(whole.quality)
    assert set(record.curves) == set(whole.curves) - {"recall"}
    assert by_labels.facts == setting.facts


def test_neither_neighbours_nor_shared_labels_are_refused(setting, unlabelled):
    disjoint = replace(setting.data, query_labels=setting.data.query_labels + 6)
    for data in (unlabelled.data, disjoint):
        with pytest.raises(ConfigError, match="no query shares a label"):
            prepare(data, plan(n_true=0))


def test_rankings_without_neighbours_to_find_are_refused():
    with pytest.raises(ConfigError, match="n_true is 0; remove one"):
        plan(n_true=0, rankings=("asymmetric-8",)).runs()


def test_k_beyond_the_database_measures_what_there_is(setting):
    record = run(plan(k=1000).runs()[0], setting)
    assert record.curves["recall"][-1] == (300.0, record.curves["recall"][-1][1])


def test_more_true_neighbours_than_rows_are_refused(setting):
    with pytest.raises(ConfigError, match="n_true is 381, but the database has only 380 rows"):
        prepare(setting.data, plan(n_true=381))


def test_an_interruption_leaves_the_finished_runs_whole(setting, tmp_path):
    store = RecordStore(tmp_path / "records.jsonl")

    def interrupt(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan("lsh", "itq"), setting, store, on_record=interrupt)
    assert [record.spec.hasher.name for record in store] == ["lsh"]


def test_a_parameter_that_the_plan_sets_is_refused_in_a_component(setting):
    twice = plan(Component(name="lsh", params={"n_bits": 9}))
    with pytest.raises(ConfigError, match="lsh takes 'n_bits' from the plan itself"):
        run(twice.runs()[0], setting)


def test_more_results_than_rows_cost_no_more_memory(setting):
    record = run(plan(k=10**9).runs()[0], setting)
    assert record.quality["r10@10"] > 0
