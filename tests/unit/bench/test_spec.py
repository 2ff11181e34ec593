import subprocess
import sys

import pytest

from hammingway.bench.spec import Component, DataSpec, PlanSpec, RunSpec, read_plan
from hammingway.config import to_mapping
from hammingway.errors import ConfigError

PLAN = """
title = "Two hashers"
n_bits = [16, 32]
seeds = [0, 1]
[data]
dataset = "digits"
[[hashers]]
name = "lsh"
[[hashers]]
name = "itq"
params = { n_iter = 3 }
"""


def run_spec(**changes):
    values = {"data": DataSpec(dataset="digits"), "hasher": Component(name="itq"), "n_bits": 32}
    return RunSpec(**{**values, **changes})


def test_equal_specs_have_equal_ids_in_another_process():
    code = (
        "from hammingway.bench.spec import *;"
        "print(RunSpec(n_bits=32, hasher=Component(name='itq'), data=DataSpec(dataset='digits')).run_id)"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == run_spec().run_id
    assert run_spec().run_id.startswith("b2:")


def test_every_changed_field_gives_another_id():
    changed = [
        run_spec(),
        run_spec(n_bits=33),
        run_spec(seed=1),
        run_spec(k=10),
        run_spec(n_true=1),
        run_spec(n_true=0),
        run_spec(repeats=2),
        run_spec(hasher=Component(name="lsh")),
        run_spec(hasher=Component(name="itq", params={"n_iter": 3})),
        run_spec(index=Component(name="other")),
        *[run_spec(data=DataSpec(dataset="digits", n_queries=n)) for n in (10, 100)],
        run_spec(data=DataSpec(dataset="digits", metric="cosine")),
        run_spec(data=DataSpec(dataset="digits", split_seed=2)),
    ]
    assert len({spec.run_id for spec in changed}) == len(changed)


def test_parameters_that_differ_only_in_punctuation_have_different_ids():
    one = run_spec(hasher=Component(name="x", params={"a": 0.5}))
    two = run_spec(hasher=Component(name="x", params={"a": [0, 5]}))
    assert one.run_id != two.run_id


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\nb\x1b[31m.hw", r"a\nb\x1b[31m.hw"), ("\u202e\udcff\u2028", r"\u202e\udcff\u2028"), ("é 名|\\", "é 名|\\")],
)
def test_a_label_is_one_line_that_can_be_printed_whatever_a_file_is_called(name, shown):
    itq = Component(name="itq")
    assert run_spec(hasher=itq, model="b2:one", model_file=name).label == f"itq(model={shown})"
    assert Component(name="deep", params={"weights": name}).label == f"deep(weights={shown})"


def test_a_plan_unfolds_into_hashers_by_widths_by_seeds(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    plan = read_plan(tmp_path / "plan.toml")
    runs = plan.runs()
    assert [(run.hasher.label, run.n_bits, run.seed) for run in runs] == [
        (label, n_bits, seed) for label in ("lsh", "itq(n_iter=3)") for n_bits in (16, 32) for seed in (0, 1)
    ]
    assert all(to_mapping(run.data) == to_mapping(plan.data) for run in runs)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nbits = [8]", "unknown key 'nbits'. Did you mean 'n_bits'"),
        ("repeats = 0", "repeats"),
        ('k = "many"', "int"),
    ],
)
def test_a_wrong_plan_names_the_file_and_the_key(tmp_path, line, message):
    (tmp_path / "plan.toml").write_text(line + PLAN)
    with pytest.raises(ConfigError, match=r"plan\.toml") as caught:
        read_plan(tmp_path / "plan.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize("empty", ["hashers", "n_bits", "seeds"])
def test_a_plan_without_runs_is_refused(empty):
    values = {"hashers": (Component(name="lsh"),), "n_bits": (8,), "seeds": (0,), empty: ()}
    with pytest.raises(ConfigError, match="nothing to run"):
        PlanSpec(data=DataSpec(dataset="digits"), **values).runs()


def test_a_plan_that_repeats_a_width_is_refused():
    plan = PlanSpec(data=DataSpec(dataset="digits"), hashers=(Component(name="lsh"),), n_bits=(8, 8))
    with pytest.raises(ConfigError, match="twice"):
        plan.runs()


def test_rankings_are_part_of_the_id_and_their_absence_leaves_it_as_it_was():
    before = "b2:959ca30036b45e500f3ca171a757ac10"
    assert run_spec().run_id == before
    ids = {run_spec(rankings=names).run_id for names in [(), ("rerank-9",), ("rerank-8",), ("rerank-8", "rerank-9")]}
    assert len(ids) == 4
