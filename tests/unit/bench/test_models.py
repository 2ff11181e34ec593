from contextlib import nullcontext

import numpy as np
import pytest

from hammingway import ITQ, RandomHyperplanes, SupervisedITQ, registry
from hammingway.bench.data import hold_out
from hammingway.bench.evaluate import prepare, run_plan
from hammingway.bench.models import check_dimensions, read_models
from hammingway.bench.session import measure
from hammingway.bench.spec import Component, DataSpec, ModelFile, PlanSpec, read_plan
from hammingway.bench.store import RecordStore
from hammingway.errors import ConfigError, FileFormatError, ShapeError

D = 12
FEW_STEPS = {"n_steps": 20}


def plan(*files, **changes):
    data = DataSpec(dataset="x.npy", n_queries=20)
    return PlanSpec(data=data, models=tuple(ModelFile(file=file) for file in files), repeats=1, **changes)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    labels = rng.integers(4, size=300)
    vectors = rng.normal(size=(4, D))[labels] * 3 + rng.normal(size=(300, D))
    return hold_out(vectors.astype(np.float32), plan().data, labels=labels)


@pytest.fixture(scope="module")
def setting(data):
    return prepare(data, plan())


@pytest.fixture
def saved(tmp_path, data):
    """Return a function that fits a hasher to the training rows, saves it and returns its fingerprint."""

    def save(hasher, name="h.hwh"):
        hasher.fit(data.training, data.training_labels).save(tmp_path / name)
        return hasher.fingerprint()

    return save


def measured(plan, setting, folder, store=None):
    return run_plan(plan, setting, store, models=read_models(plan, folder=folder))


@pytest.mark.parametrize("hasher", [Component(name="itq"), Component(name="distilled", params=FEW_STEPS)])
def test_a_model_finds_what_the_same_hasher_finds_where_it_was_fitted(setting, tmp_path, saved, hasher):
    saved(registry.load("hashers", hasher.name)(9, random_state=0, **hasher.params))
    both = plan("h.hwh", hashers=(hasher,), n_bits=(9,), rankings=("asymmetric-8", "rerank-30"))
    fitted, model = measured(both, setting, tmp_path)
    assert model.quality == fitted.quality
    assert model.health == fitted.health
    for name in both.rankings:
        assert model.rankings[name].quality == fitted.rankings[name].quality


def test_a_model_is_not_fitted_and_has_no_time_of_a_fit(setting, tmp_path, saved, monkeypatch):
    saved(ITQ(9, random_state=5))
    monkeypatch.setattr(ITQ, "fit", lambda *a, **k: pytest.fail("it was fitted"))
    (record,) = measured(plan("h.hwh"), setting, tmp_path)
    assert (record.spec.n_bits, record.spec.seed, record.costs.code_bytes) == (9, 5, 2)
    assert record.costs.fit_seconds is None
    assert record.costs.fit_processor_seconds is None


def test_a_model_that_learnt_from_labels_is_measured_on_data_without(data, tmp_path, saved):
    saved(SupervisedITQ(4, random_state=0))
    vectors = np.concatenate([data.queries, data.database])
    unlabelled = prepare(hold_out(vectors, plan().data), plan())
    fitted, model = measured(plan("h.hwh", hashers=(Component(name="cca-itq"),), n_bits=(4,)), unlabelled, tmp_path)
    assert (fitted.status, model.status) == ("refused", "measured")


def test_a_record_names_the_model_by_what_it_is(setting, tmp_path, saved):
    fingerprint = saved(RandomHyperplanes(8, random_state=1))
    saved(RandomHyperplanes(8, random_state=2), "other.hwh")
    record, other = measured(plan("h.hwh", "other.hwh"), setting, tmp_path)
    assert record.spec.model == fingerprint
    assert record.spec.label == "lsh(model=h.hwh)"
    assert record.spec.hasher.params["center"] is False
    assert record.run_id != other.run_id


def test_a_model_under_another_name_is_known_again(setting, tmp_path, saved):
    saved(RandomHyperplanes(8, random_state=1))
    store = RecordStore(tmp_path / "records.jsonl")
    (first,) = measured(plan("h.hwh"), setting, tmp_path, store)
    (tmp_path / "h.hwh").rename(tmp_path / "renamed.hwh")
    (again,) = measured(plan("renamed.hwh"), setting, tmp_path, store)
    assert len(list(store)) == 1
    assert again.costs == first.costs
    assert again.spec.label == "lsh(model=renamed.hwh)"


def test_a_plan_that_is_run_by_itself_reads_its_models(setting, tmp_path, saved, monkeypatch):
    saved(RandomHyperplanes(8, random_state=1))
    monkeypatch.chdir(tmp_path)
    told = []
    assert run_plan(plan("h.hwh"), setting, on_record=told.append) == told
    assert [record.spec.model_file for record in told] == ["h.hwh"]


def test_another_model_under_the_same_name_is_measured(setting, tmp_path, saved):
    store = RecordStore(tmp_path / "records.jsonl")
    prints = []
    for seed in (1, 2):
        prints.append(saved(RandomHyperplanes(8, random_state=seed)))
        measured(plan("h.hwh"), setting, tmp_path, store)
    assert [record.spec.model for record in store] == prints


def test_the_same_hasher_in_two_files_is_refused(tmp_path, saved):
    saved(RandomHyperplanes(8, random_state=1))
    saved(RandomHyperplanes(8, random_state=1), "copy.hwh")
    with pytest.raises(ConfigError, match=r"h\.hwh and copy\.hwh are the same hasher; leave one of them out\."):
        read_models(plan("h.hwh", "copy.hwh"), folder=tmp_path)


def test_a_damaged_model_is_refused_before_data_are_read(tmp_path, saved):
    saved(RandomHyperplanes(8, random_state=1))
    (tmp_path / "h.hwh").write_bytes((tmp_path / "h.hwh").read_bytes()[:-1])
    with pytest.raises(FileFormatError, match=r"h\.hwh"):
        measure(plan("h.hwh"), bar=None, model_dir=tmp_path)


def test_a_model_of_other_dimensions_is_refused_by_its_name(tmp_path, saved):
    saved(RandomHyperplanes(8, random_state=1))
    models = read_models(plan("h.hwh"), folder=tmp_path)
    check_dimensions(models, D)
    with pytest.raises(ShapeError, match=r"h\.hwh takes vectors of 12 dimensions, and the data has 13"):
        check_dimensions(models, D + 1)


def test_a_plan_file_names_its_models(data, tmp_path, saved):
    saved(RandomHyperplanes(8, random_state=1))
    np.save(tmp_path / "x.npy", data.database)
    text = 'repeats = 1\n[data]\ndataset = "x.npy"\nn_queries = 20\n[[models]]\nfile = "h.hwh"\n'
    (tmp_path / "plan.toml").write_text(text)
    read = read_plan(tmp_path / "plan.toml")
    (record,) = measure(read, bar=lambda label: nullcontext(print), data_dir=tmp_path, model_dir=tmp_path)
    assert record.spec.model_file == "h.hwh"


def test_an_unknown_key_of_a_model_is_refused(tmp_path):
    (tmp_path / "plan.toml").write_text('[data]\ndataset = "x.npy"\n[[models]]\npath = "h.hwh"\n')
    with pytest.raises(ConfigError, match=r"models\[0\] has an unknown key 'path'"):
        read_plan(tmp_path / "plan.toml")


def test_widths_beside_models_alone_are_refused():
    with pytest.raises(ConfigError, match="nothing to run"):
        plan("h.hwh", n_bits=(8,)).runs()
    assert plan("h.hwh").runs() == ()
