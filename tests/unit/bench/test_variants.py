"""A plan unfolds into named runs; what is misspelt or said twice is refused before anything is trained."""

from __future__ import annotations

import datetime

import pytest

from hammingway.bench.spec import DataSpec
from hammingway.bench.variants import Table, TrainingPlan, Variant, read_training_plan
from hammingway.config import set_at
from hammingway.errors import ConfigError

DATA = DataSpec(dataset="digits")
BASE = {"hasher": "dsh", "n_bits": 16, "training": {"epochs": 3}}


def plan(**parts):
    return TrainingPlan(data=DATA, **{"base": BASE, **parts})


def test_base_alone_is_one_run():
    (run,) = plan().runs()
    assert (run.name, run.spec.n_bits, run.spec.seed) == ("base", 16, 0)
    assert (run.spec.hasher.name, run.spec.hasher.params) == ("dsh", {"training": {"epochs": 3}})


def test_variants_and_table_rows_are_crossed_with_the_grid_in_order():
    table = Table(columns=("training.epochs", "name"), rows=((1, "short"), (9, "long")))
    runs = plan(
        variants=(Variant(name="wide", set={"n_bits": 64}),),
        tables=(table,),
        grid={"seed": (0, 1), "objective": ("dsh",)},
    ).runs()
    assert [(run.name, run.spec.n_bits, run.spec.seed, run.spec.hasher.params) for run in runs] == [
        (f"{name},seed={seed},objective=dsh", bits, seed, {"training": {"epochs": epochs}, "objective": "dsh"})
        for name, bits, epochs in (("wide", 64, 3), ("short", 16, 1), ("long", 16, 9))
        for seed in (0, 1)
    ]


def test_run_is_named_by_a_value_that_no_option_takes_too():
    (run,) = plan(grid={"objective.margin": (datetime.date(1979, 5, 27),)}).runs()
    assert run.name == "objective.margin=-1979-05-27"


def test_grid_alone_names_runs_by_their_values():
    names = [run.name for run in plan(grid={"n_bits": (8, 16), "network.hidden": ((4, 4),)}).runs()]
    assert names == ["n_bits=8,network.hidden=-4,4", "n_bits=16,network.hidden=-4,4"]


def test_base_is_left_as_it_was():
    plan(variants=(Variant(name="a", set={"training.epochs": 7, "objective.margin": 1.0}),)).runs()
    assert BASE == {"hasher": "dsh", "n_bits": 16, "training": {"epochs": 3}}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"base": {"hasher": "dsh"}}, "n_bits"),
        ({"base": {"hasher": "dsh", "n_bits": 0}}, "n_bits"),
        ({"variants": (Variant(name="a"), Variant(name="a", set={"seed": 1}))}, "two variants called 'a'"),
        ({"variants": (Variant(name="a"), Variant(name="b"))}, "'a' and 'b' are the same run"),
        ({"variants": (Variant(name="../.."),)}, "cannot be the name"),
        ({"variants": (Variant(name="a", set={"training..epochs": 1}),)}, r"^the variant 'a': .* is no path"),
        ({"variants": (Variant(name="a", set={"training.epochs.x": 1}),)}, r"^the variant 'a': .*'epochs' is 3"),
        ({"variants": (Variant(name="a", set={"n_bits": "8"}),)}, "the variant 'a', n_bits: expected 'int', got 'str'"),
        ({"grid": {"seed": ()}}, "grid.seed has no values"),
        ({"tables": (Table(columns=("seed",), rows=()),)}, "one column 'name'"),
        ({"tables": (Table(columns=("name", "seed"), rows=(("a",),)),)}, "row of 1 values"),
    ],
)
def test_plan_that_cannot_be_unfolded_is_refused(parts, said):
    with pytest.raises(ConfigError, match=said):
        plan(**parts).runs()


def test_plan_is_read_from_toml_and_a_misspelt_key_gets_a_suggestion(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('[data]\ndataset = "digits"\n[base]\nhasher = "dsh"\nn_bits = 8\n[[variants]]\nname = "a"\n')
    assert [run.name for run in read_training_plan(path).runs()] == ["a"]
    path.write_text('[data]\ndataset = "digits"\n[base]\nhasher = "dsh"\n[[variant]]\nname = "a"\n')
    with pytest.raises(ConfigError, match="Did you mean 'variants'"):
        read_training_plan(path)


def test_a_name_becomes_a_table_where_an_option_is_set_below_it():
    values = {"objective": "dsh", "other": {"name": "x"}}
    set_at(values, "objective.margin", 2)
    set_at(values, "other.name", "y")
    set_at(values, "new.deeper.value", [1])
    assert values == {
        "objective": {"name": "dsh", "margin": 2},
        "other": {"name": "y"},
        "new": {"deeper": {"value": [1]}},
    }
