"""Results of both commands stand in one table: means over seeds, one protocol, nothing left out in silence."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hammingway.bench.session import measure
from hammingway.bench.spec import Component, DataSpec, PlanSpec
from hammingway.bench.training import train_plan
from hammingway.bench.variants import TrainingPlan, Variant

SCRIPTS = Path(__file__).parents[3] / "benchmarks" / "quality"
DATA = DataSpec(dataset="vectors.npy", labels="labels.npy", n_queries=40)
TRAINING = {"epochs": 1, "batch_size": 50, "validation_share": 0.2}
DIVERGING = {"optimizer": "sgd", "learning_rate": 1e12, "epochs": 30}


@contextmanager
def no_bar(label):
    yield lambda done, total: None


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    y = np.arange(1240) % 4
    x = (2 * rng.normal(size=(4, 12))[y] + rng.normal(size=(1240, 12))).astype(np.float32)
    np.save(folder / "vectors.npy", x)
    np.save(folder / "labels.npy", y)
    np.save(folder / "others.npy", x + 1)
    classic = PlanSpec(
        data=DATA,
        hashers=(Component(name="lsh"), Component(name="cca-itq")),
        n_bits=(8,),
        seeds=(0, 1),
        repeats=1,
        rankings=("asymmetric-8",),
    )
    records = measure(classic, bar=no_bar, data_dir=folder, out=folder / "classics")
    deep = TrainingPlan(
        data=DATA,
        base={"hasher": "dsh", "n_bits": 8, "training": TRAINING},
        variants=(Variant(name="good"), Variant(name="bad", set={"training": DIVERGING})),
        repeats=1,
    )
    trained = train_plan(deep, out=folder / "deep", bar=no_bar, data_dir=folder)
    other = PlanSpec(data=DataSpec(dataset="others.npy"), hashers=(Component(name="lsh"),), n_bits=(8,), repeats=1)
    measure(other, bar=no_bar, data_dir=folder, out=folder / "other")
    return folder, records, trained


@pytest.fixture
def tables(monkeypatch, capsys):
    """Return what runs the script with some arguments, and gives back what it printed."""
    monkeypatch.syspath_prepend(SCRIPTS)
    script = importlib.import_module("labelled")

    def printed(*arguments):
        monkeypatch.setattr("sys.argv", ["labelled.py", "mnist-deep", *map(str, arguments)])
        script.main()
        return capsys.readouterr().out

    return printed


def test_a_row_holds_the_mean_over_seeds_and_what_was_learnt_from(results, tables):
    folder, records, trained = results
    text = tables(folder / "deep", folder / "classics")
    values = [record.quality["mAP@all"] for record in records if record.spec.hasher.name == "lsh"]
    assert f"| `lsh` |  | rows | {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} |" in text
    assert f"| `dsh` | mlp | labels | {trained[0].record.quality['mAP@all']:.3f} |" in text
    by_precision = text.partition("(`P@r<=2`)")[2]
    assert by_precision.index("`dsh`") < by_precision.index("`cca-itq`") < by_precision.index("`lsh`")


def test_other_rankings_have_rows_of_their_own_where_they_were_measured(results, tables):
    folder, records, _ = results
    text = tables(folder / "deep", folder / "classics")
    values = [r.rankings["asymmetric-8"].quality["r10@100"] for r in records if r.spec.hasher.name == "lsh"]
    assert f"| `lsh`, asymmetric-8 |  | rows | {np.mean(values):.3f}" in text.partition("(`r10@100`)")[2]
    assert "asymmetric" not in text.partition("(`r10@100`)")[0]


def test_published_numbers_stand_above_ours_with_their_metric(results, tables):
    lines = tables(results[0] / "deep").splitlines()
    published = next(number for number, line in enumerate(lines) if line.startswith("| DSH, published | AlexNet"))
    assert "| mAP@all | 0.960 |" in lines[published]
    assert lines[published + 1].startswith("| `dsh` | mlp | mAP@all |")


def test_a_variant_that_failed_is_named_with_its_reason(results, tables):
    assert "`bad`: failed, the loss became" in tables(results[0] / "deep")


def test_results_on_different_data_are_refused(results, tables):
    with pytest.raises(SystemExit, match="2 different sets of data"):
        tables(results[0] / "deep", results[0] / "other")


def test_a_metric_that_nothing_measured_has_no_table(results, tables):
    folder = results[0]
    by_labels = TrainingPlan(data=DATA, base={"hasher": "lsh", "n_bits": 8}, n_true=0, repeats=1)
    train_plan(by_labels, out=folder / "by-labels", bar=no_bar, data_dir=folder)
    text = tables(folder / "by-labels")
    assert "(`mAP@all`)" in text
    assert "r10@100" not in text
    assert "(`r10@100`)" in tables(folder / "by-labels", folder / "classics")


def test_tables_take_their_place_in_a_page_and_only_there(results, tables, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table: begin -->\nold\n<!-- table: end -->\nafter\n")
    tables(results[0] / "deep", "--page", page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "`dsh`" in text
    assert "old" not in text
