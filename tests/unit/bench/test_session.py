import re
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


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Component(name="itq", params={"n_iter": 3}), "itq has no parameter 'n_iter'. Did you mean 'n_iterations'"),
        (Component(name="dsh", params={"training": {"epoch": 3}}), "training has an unknown key 'epoch'"),
        (Component(name="dsh", params={"training": {"device": "banana"}}), "training.device must be 'cpu', 'cuda'"),
    ],
)
def test_wrong_option_of_the_last_hasher_is_told_by_its_name_before_data_is_read(wrong, said):
    plan = PlanSpec(data=DataSpec(dataset="absent.npy"), hashers=(Component(name="lsh"), wrong), n_bits=(8,))
    with pytest.raises(ConfigError, match=rf"^{re.escape(wrong.label)} of 8 bits: {re.escape(said)}"):
        measure(plan, bar=None)


def test_missing_weights_of_the_last_hasher_are_told_before_the_first_is_fitted(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32))
    params = {"image_shape": (2, 2, 3), "network": {"name": "alexnet", "checkpoint": "absent.pth"}}
    hashers = (Component(name="lsh"), Component(name="dsh", params=params))
    plan = PlanSpec(data=DataSpec(dataset="x.npy", n_queries=10), hashers=hashers, n_bits=(8,))
    with pytest.raises(ConfigError, match=r"of 8 bits: absent\.pth is not there"):
        measure(plan, bar=lambda label: nullcontext(print), data_dir=tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_hasher_refuses_is_a_record_among_the_others(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32))
    hashers = (Component(name="distilled", params={"prefix_bits": [8], "n_steps": 2}), Component(name="lsh"))
    plan = PlanSpec(data=DataSpec(dataset="x.npy", n_queries=10), hashers=hashers, n_bits=(4, 16), repeats=1)
    records = measure(plan, bar=lambda label: nullcontext(lambda done, total: None), data_dir=tmp_path)
    assert [record.status for record in records] == ["refused", "measured", "measured", "measured"]


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
