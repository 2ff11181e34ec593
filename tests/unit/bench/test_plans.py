"""The committed plans can be read, and those whose numbers share a table ask for the same data and measures."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hammingway import registry
from hammingway.bench.evaluate import make_hasher
from hammingway.bench.spec import read_plan
from hammingway.bench.variants import read_training_plan

PLANS = Path(__file__).parents[3] / "benchmarks" / "quality"
DEEP, CLASSICS = PLANS / "mnist-deep.toml", PLANS / "mnist-deep-classics.toml"


def specs(path):
    if "base" in tomllib.loads(path.read_text()):
        return [run.spec for run in read_training_plan(path).runs()]
    return list(read_plan(path).runs())


@pytest.mark.parametrize(
    "path", sorted({*PLANS.glob("*.toml")} - {PLANS / "references.toml"}), ids=lambda path: path.stem
)
def test_every_run_of_a_committed_plan_has_options_that_exist(path):
    for spec in specs(path):
        make_hasher(spec).check_options()


def test_deep_and_classic_hashers_on_mnist_share_one_protocol():
    asked = [(spec.data, spec.index, spec.k, spec.n_true) for spec in specs(DEEP) + specs(CLASSICS)]
    assert asked == asked[:1] * len(asked)
    widths = {path: {spec.n_bits for spec in specs(path)} for path in (DEEP, CLASSICS)}
    assert widths[DEEP] == widths[CLASSICS] == {8, 16, 32, 64}


def test_every_classic_hasher_is_measured_on_mnist():
    classic = {
        name
        for name in registry.names("hashers")
        if registry.load("hashers", name).__module__.startswith("hammingway.hashers.")
    }
    assert {spec.hasher.name for spec in specs(CLASSICS)} == classic


def test_no_training_on_mnist_chooses_its_epoch_by_what_it_may_not_see():
    for spec in specs(DEEP):
        objective = registry.load("objectives", make_hasher(spec).default_objective["name"])
        learns_from_labels = objective.needs_labels or objective.sampling == "pairs"
        assert spec.hasher.params["training"]["select"] == ("map" if learns_from_labels else "recall")
        assert spec.hasher.params["training"]["validation_share"] > 0
