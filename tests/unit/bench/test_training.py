"""A plan leaves a folder a variant, repeats nothing that is done, and goes on where it was interrupted."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch

from hammingway import load_hasher, registry
from hammingway.bench import evaluate
from hammingway.bench.data import open_data
from hammingway.bench.evaluate import prepare, run_plan
from hammingway.bench.spec import Component, DataSpec, PlanSpec
from hammingway.bench.training import HASHER_NAME, RESULT_NAME, VariantResult, check_plan, train_plan
from hammingway.bench.variants import TrainingPlan, Variant
from hammingway.deep import fitting, loop
from hammingway.deep.checkpoint import Checkpoint
from hammingway.errors import ConfigError, FileFormatError, FolderInUseError, InvalidInputError
from hammingway.metrics import average_precision, distance_counts
from hammingway.sole_use import sole_use

DATA = DataSpec(dataset="vectors.npy", labels="labels.npy", n_queries=40)
BASE = {"hasher": "dsh", "n_bits": 8, "training": {"epochs": 2, "batch_size": 50, "validation_share": 0.2}}
PLAN = TrainingPlan(
    data=DATA,
    base=BASE,
    repeats=1,
    variants=(
        Variant(name="dsh"),
        Variant(name="linear", set={"network": "linear", "training.epochs": 1}),
        Variant(name="classic", set={"hasher": "itq", "training": None}),
    ),
)


class PowerCutError(Exception):
    pass


@contextmanager
def no_bar(label):
    yield lambda done, total: None


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(240) % 4
    np.save(tmp_path / "vectors.npy", (3 * rng.normal(size=(4, 12))[y] + rng.normal(size=(240, 12))).astype(np.float32))
    np.save(tmp_path / "labels.npy", y)
    return tmp_path


def train(folder, plan=PLAN, **more):
    return train_plan(plan, out=folder / "out", bar=no_bar, data_dir=folder, **more)


def without_classic(*variants):
    return TrainingPlan(data=DATA, base=BASE, repeats=1, variants=variants)


TWO = without_classic(*PLAN.variants[:2])


def test_each_variant_leaves_hasher_log_checkpoint_and_result(folder):
    results = train(folder, TWO)
    for result in results:
        names = {path.name for path in (folder / "out" / result.name).iterdir()}
        assert names == {HASHER_NAME, RESULT_NAME, "log.jsonl", "checkpoint.safetensors"}
        assert result.status == "trained"
        assert load_hasher(folder / "out" / result.name / HASHER_NAME).fingerprint() == result.hasher


def test_quality_is_that_of_the_hasher_on_held_out_queries(folder):
    result = train(folder, TWO)[0]
    data = open_data(DATA, data_dir=folder)
    hasher = load_hasher(folder / "out" / "dsh" / HASHER_NAME)
    counts = distance_counts(
        hasher.encode(data.queries), hasher.encode(data.database), (data.query_labels, data.database_labels)
    )
    assert result.record.quality["mAP@all"] == pytest.approx(average_precision(counts).mean())
    assert set(result.training["validation"]) == {"map", "bit_entropy"}


def test_plan_without_neighbours_trains_the_same_hasher_and_seeks_none(folder, monkeypatch):
    whole = train(folder, TWO)
    monkeypatch.setattr(evaluate, "exact_neighbors", lambda *a, **k: pytest.fail("neighbours were sought"))
    by_labels = msgspec.structs.replace(TWO, n_true=0)
    results = train_plan(by_labels, out=folder / "other", bar=no_bar, data_dir=folder)
    assert [one.hasher for one in results] == [one.hasher for one in whole]
    for result, other in zip(results, whole, strict=True):
        assert result.record.quality["mAP@all"] == other.record.quality["mAP@all"]
        assert not any(name.startswith("r1") for name in result.record.quality)


def test_queries_have_no_part_in_training_nor_in_the_choice_of_the_epoch(folder):
    plan = without_classic(Variant(name="dsh", set={"training.epochs": 6}))
    (first,) = train(folder, plan)
    queries = open_data(DATA, data_dir=folder).query_ids
    for name, other in (("vectors", lambda rows: -5 * rows), ("labels", lambda rows: (rows + 1) % 4)):
        array = np.load(folder / f"{name}.npy")
        array[queries] = other(array[queries])
        np.save(folder / f"{name}.npy", array)
    (second,) = train_plan(plan, out=folder / "other", bar=no_bar, data_dir=folder)
    assert first.record.quality != second.record.quality
    assert first.training["validation"] == second.training["validation"]
    assert first.hasher == second.hasher


def test_classic_hasher_may_stand_beside_deep_ones(folder):
    plan = TrainingPlan(data=DATA, base={"hasher": "itq", "n_bits": 8}, repeats=1)
    (result,) = train(folder, plan)
    evaluated = PlanSpec(data=DATA, hashers=(Component(name="itq"),), n_bits=(8,), repeats=1)
    (record,) = run_plan(evaluated, prepare(open_data(DATA, data_dir=folder), evaluated))
    assert result.record.quality == record.quality
    assert result.training == {}


def test_finished_variants_are_not_trained_again(folder, monkeypatch):
    first = train(folder, TWO)
    monkeypatch.setattr(registry.load("hashers", "dsh"), "fit", lambda *a, **k: pytest.fail("trained again"))
    told = []
    assert train(folder, TWO, on_result=told.append) == first == told


def test_interrupted_plan_goes_on_in_the_middle_of_a_variant(folder, monkeypatch):
    monkeypatch.setattr(Checkpoint, "is_due", lambda self: True)

    @contextmanager
    def failing_bar(label):
        def progress(done, total):
            if label == "linear" and done == 2:
                raise PowerCutError

        yield progress

    with pytest.raises(PowerCutError):
        train_plan(TWO, out=folder / "out", bar=failing_bar, data_dir=folder)
    assert not (folder / "out" / "linear" / RESULT_NAME).exists()
    resumed = train(folder, TWO)
    whole = train_plan(TWO, out=folder / "other", bar=no_bar, data_dir=folder)
    assert [one.hasher for one in resumed] == [one.hasher for one in whole]


def test_processor_time_of_an_interrupted_fit_counts_what_went_before(folder, monkeypatch):
    begun = folder / "out" / "linear"
    begun.mkdir(parents=True)
    (begun / "left-by-an-interruption").touch()
    monkeypatch.setattr(
        loop, "time", SimpleNamespace(perf_counter=count(0, 500).__next__, process_time=count(0, 1000).__next__)
    )
    for result in train(folder, TWO):
        assert (result.record.costs.fit_seconds >= 500) == (result.name == "linear")
        assert (result.record.costs.fit_processor_seconds >= 1000) == (result.name == "linear")


def test_another_variant_or_other_data_under_the_same_name_is_refused(folder):
    train(folder, TWO)
    changed = without_classic(Variant(name="dsh", set={"seed": 5}))
    with pytest.raises(InvalidInputError, match="another configuration or other data"):
        train(folder, changed)
    np.save(folder / "labels.npy", (np.arange(240) + 1) % 3)
    with pytest.raises(InvalidInputError, match="another configuration or other data"):
        train(folder, TWO)


def test_result_that_is_in_the_way_of_the_last_variant_is_told_before_the_first_trains(folder):
    train(folder, without_classic(Variant(name="last")))
    first, last = Variant(name="first", set={"seed": 7}), Variant(name="last", set={"seed": 5})
    with pytest.raises(InvalidInputError, match="last holds the result of another configuration"):
        check_plan(without_classic(first, last), out=folder / "out")
    np.save(folder / "labels.npy", (np.arange(240) + 1) % 3)
    with pytest.raises(InvalidInputError, match="last holds the result of another configuration or other data"):
        train(folder, without_classic(first, Variant(name="last")))
    assert [path.name for path in (folder / "out").iterdir()] == ["last"]


def test_variant_that_was_refused_is_done_again_with_another_configuration_or_other_data(folder):
    def trained_of(max_training_rows):
        plan = without_classic(Variant(name="dsh", set={"max_training_rows": max_training_rows}))
        return [result.status == "trained" for result in train(folder, plan)]

    assert trained_of(1) == [False]
    np.save(folder / "labels.npy", (np.arange(240) + 1) % 4)
    assert trained_of(1) == [False]
    assert trained_of(200) == trained_of(200) == [True]
    with pytest.raises(InvalidInputError, match="another configuration or other data"):
        trained_of(1)


def test_labels_that_a_plan_lacked_when_it_was_refused_may_be_named(folder):
    without = msgspec.structs.replace(TWO, data=msgspec.structs.replace(DATA, labels=None))
    (run, _) = without.runs()
    digest = prepare(open_data(without.data, data_dir=folder), without).facts.digest
    refusal = VariantResult(name=run.name, run_id=run.spec.run_id, data_digest=digest, status="refused", reason="why")
    (folder / "out" / run.name).mkdir(parents=True)
    (folder / "out" / run.name / RESULT_NAME).write_bytes(msgspec.json.encode(refusal))
    with pytest.raises(ConfigError, match="'dsh': it needs labels and the data has none"):
        train(folder, without)
    assert [result.status for result in train(folder, TWO)] == ["trained", "trained"]


def test_variant_that_fails_or_is_impossible_says_why_and_the_others_go_on(folder):
    diverging = {"training.optimizer": "sgd", "training.learning_rate": 1e12, "training.epochs": 30}
    plan = without_classic(
        Variant(name="diverging", set=diverging),
        Variant(name="few", set={"max_training_rows": 1}),
        Variant(name="plain"),
    )
    failed, refused, trained = train(folder, plan)
    assert (failed.status, refused.status, trained.status) == ("failed", "refused", "trained")
    assert "the loss became" in failed.reason
    assert "max_training_rows=1 is fewer" in refused.reason
    assert train(folder, plan) == [failed, refused, trained]


def test_misspelt_option_of_the_last_variant_is_refused_before_the_first_is_trained(folder):
    plan = without_classic(Variant(name="good"), Variant(name="bad", set={"training.epoch": 3}))
    with pytest.raises(ConfigError, match="Did you mean 'epochs'"):
        train(folder, plan)
    with pytest.raises(ConfigError, match="has no parameter 'training'"):
        train(folder, PLAN)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(("hasher", "moved"), [("itq", True), ("dsh", False)])
def test_parameter_of_the_base_that_another_hasher_lacks_is_told_to_be_moved(tmp_path, hasher, moved):
    base = {**BASE, "shape": 5}
    plan = TrainingPlan(data=DATA, base=base, variants=(Variant(name="other", set={"hasher": hasher}),))
    with pytest.raises(ConfigError, match=r"has no parameter '(training|shape)'\.") as refusal:
        check_plan(plan, out=tmp_path)
    remedy = "It stands in [base]; move 'training' to the variants that need it."
    assert str(refusal.value).endswith(remedy) is moved


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training.epoch": 3}, "training has an unknown key 'epoch'. Did you mean 'epochs'"),
        ({"training.device": "cuda:99"}, "training.device is 'cuda:99', but this"),
        ({"training.device": "banana"}, "training.device must be 'cpu', 'cuda' or 'cuda:N'; got 'banana'"),
        (
            {"objective": "autohash-neighbors", "training.select": "loss"},
            "training.select is 'loss', but the objective",
        ),
        ({"image_shape": [5, 5, 1]}, "image_shape 5 x 5 x 1 is of 25 values; X has 12 features"),
        ({"network": "vgg16"}, "The network 'vgg16' takes images; got examples of shape (12,)"),
        (
            {"network": "dsh-cnn", "image_shape": [3, 4, 1]},
            "The network 'dsh-cnn' takes images of at least 8 x 8; got 3 x 4",
        ),
        ({"training.augment": "flip"}, "augment='flip' is for images"),
        ({"network": {"name": "mlp", "hidden": [10**6, 10**6]}}, "The network 'mlp' is too large for memory"),
        (
            {"network": {"name": "mlp", "batch_norm": True}, "training.micro_batch_size": 1},
            "training.micro_batch_size must be at least 3 for the network 'mlp'",
        ),
        (
            {"image_shape": [2, 2, 3], "network.name": "alexnet", "network.checkpoint": "absent.pth"},
            "absent.pth is not there",
        ),
    ],
)
def test_what_is_known_to_be_wrong_with_the_last_variant_is_told_by_its_name_before_the_first_trains(
    folder, changes, said
):
    plan = without_classic(Variant(name="good"), Variant(name="bad", set=changes))
    with pytest.raises(ConfigError, match=rf"^the variant 'bad': {re.escape(said)}"):
        train(folder, plan)
    assert not (folder / "out").exists()


def test_mistake_that_only_training_shows_is_told_by_the_name_of_its_variant(folder):
    too_large = {"objective": {"name": "autohash", "hidden": [10**12]}}
    with pytest.raises(ConfigError, match=r"^the variant 'late': The objective 'autohash' is too large for memory"):
        train(folder, without_classic(Variant(name="good"), Variant(name="late", set=too_large)))


def test_finished_variants_are_shown_on_a_machine_without_their_device(folder, monkeypatch):
    on_gpu = without_classic(Variant(name="dsh", set={"training.device": "cuda:99"}))
    with monkeypatch.context() as machine:
        machine.setattr(torch.cuda, "is_available", lambda: True)
        machine.setattr(torch.cuda, "device_count", lambda: 100)
        machine.setattr(fitting, "training_device", lambda name: torch.device("cpu"))
        first = train(folder, on_gpu)
    assert [result.status for result in first] == ["trained"]
    assert train(folder, on_gpu) == first


@pytest.mark.parametrize("damaged", [b"{", b'{"\xff": 1}', b"[" * 100_000])
def test_damaged_result_is_refused(folder, damaged):
    (folder / "out" / "dsh").mkdir(parents=True)
    (folder / "out" / "dsh" / RESULT_NAME).write_bytes(damaged)
    with pytest.raises(FileFormatError, match="remove it"):
        train(folder, TWO)


def test_two_trainings_at_once_into_one_folder_are_refused(folder):
    def another(result):
        with pytest.raises(FolderInUseError, match="in use by another training; wait until it ends"):
            train(folder, TWO)

    assert [result.status for result in train(folder, TWO, on_result=another)] == ["trained", "trained"]
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["dsh", "linear"]


def test_variant_whose_folder_another_fit_has_is_left_for_the_next_time(folder):
    with sole_use(folder / "out" / "dsh" / ".lock", work="training"), pytest.raises(FolderInUseError, match="out/dsh"):
        train(folder, TWO)
    assert [result.status for result in train(folder, TWO)] == ["trained", "trained"]
