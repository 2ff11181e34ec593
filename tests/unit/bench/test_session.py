from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

from hammingway import registry
from hammingway.bench import data
from hammingway.bench.session import DEMO_PLAN, locate, measure
from hammingway.bench.spec import Component, DataSpec, PlanSpec
from hammingway.bench.store import RecordStore
from hammingway.bench.training import train_plan
from hammingway.bench.variants import TrainingPlan
from hammingway.errors import ConfigError, FolderInUseError, InvalidInputError


def test_the_demo_runs_every_hasher_that_needs_no_network():
    names = {component.name for component in DEMO_PLAN.hashers}
    built_in = {
        name
        for name in registry.names("hashers")
        if registry.load("hashers", name).__module__.startswith("hammingway.hashers.")
    }
    assert names == built_in


def test_measure_says_what_it_is_doing_and_keeps_records(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32))
    labels = []

    @contextmanager
    def bar(label):
        labels.append(label)
        yield lambda done, total: None

    plan = PlanSpec(
        data=DataSpec(dataset="x.npy", n_queries=10), hashers=(Component(name="lsh"),), n_bits=(8, 9), repeats=1
    )
    records = measure(plan, bar=bar, data_dir=tmp_path, out=tmp_path / "out")
    assert labels == ["reading data", "exact neighbours", "runs"]
    assert [record.spec.n_bits for record in records] == [8, 9]
    assert len((tmp_path / "out" / "records.jsonl").read_text().splitlines()) == 2


def test_an_impossible_plan_fails_before_data_is_read():
    plan = PlanSpec(data=DataSpec(dataset="absent.npy"), hashers=(), n_bits=(8,))
    with pytest.raises(ConfigError, match="nothing to run"):
        measure(plan, bar=None)


def test_a_typed_path_is_named_by_its_own_folder(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.npy").touch()
    (tmp_path / "y.npy").touch()
    monkeypatch.chdir(tmp_path)
    assert locate("sub/x.npy", "y.npy", None) == ("x.npy", "../y.npy", tmp_path / "sub")
    assert locate("digits", None, None) == ("digits", None, None)
    assert locate("x.npy", None, "sub") == ("x.npy", None, "sub")


def test_two_evaluations_do_not_share_a_folder(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32))
    plan = PlanSpec(data=DataSpec(dataset="x.npy", n_queries=10), hashers=(Component(name="lsh"),), n_bits=(8,))
    arguments = {"bar": lambda label: nullcontext(print), "data_dir": tmp_path, "out": tmp_path / "out"}
    busy = pytest.raises(FolderInUseError, match="in use by another evaluation")
    with RecordStore(tmp_path / "out" / "records.jsonl").exclusive(), busy:
        measure(plan, **arguments)
    assert len(measure(plan, **arguments)) == 1


def test_reading_of_images_is_told_to_the_bar_of_a_plan_of_either_kind(tmp_path, monkeypatch):
    def slow_load(name, *, protocol, data_dir, progress):
        progress(3, 4)
        raise InvalidInputError("read so far")

    monkeypatch.setattr(data, "load", slow_load)
    told = []

    @contextmanager
    def bar(label):
        yield lambda done, total: told.append((label, done, total))

    digits = DataSpec(dataset="digits")
    with pytest.raises(InvalidInputError, match="read so far"):
        measure(PlanSpec(data=digits, hashers=(Component(name="lsh"),), n_bits=(8,)), bar=bar)
    with pytest.raises(InvalidInputError, match="read so far"):
        train_plan(TrainingPlan(data=digits, base={"hasher": "lsh", "n_bits": 8}), bar=bar, out=tmp_path)
    assert told == 2 * [("reading data", 3, 4)]
