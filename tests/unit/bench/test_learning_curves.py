"""The learning curve of a plan holds what its logs hold, for the variants that were finished."""

from __future__ import annotations

import importlib
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hammingway.bench.spec import DataSpec
from hammingway.bench.training import RESULT_NAME, train_plan
from hammingway.bench.variants import TrainingPlan, Variant

SCRIPTS = Path(__file__).parents[3] / "benchmarks" / "quality"
TRAINING = {"epochs": 3, "batch_size": 50, "validation_share": 0.2}
VARIANTS = (
    Variant(name="short", set={"training.epochs": 2}),
    Variant(name="blind", set={"training.validation_share": 0.0}),
    Variant(name="narrow", set={"n_bits": 4, "training.epochs": 1}),
)


@contextmanager
def no_bar(label):
    yield lambda done, total: None


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    rng = np.random.default_rng(0)
    np.save(folder / "vectors.npy", rng.normal(size=(240, 12)).astype(np.float32))
    np.save(folder / "labels.npy", np.arange(240) % 4)
    plan = TrainingPlan(
        data=DataSpec(dataset="vectors.npy", labels="labels.npy", n_queries=40),
        base={"hasher": "dsh", "n_bits": 8, "training": TRAINING},
        variants=VARIANTS,
        repeats=1,
    )
    train_plan(plan, out=folder / "out", bar=no_bar, data_dir=folder)
    return folder / "out"


@pytest.fixture
def curves(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("curves")


def cells(text):
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines()]


def test_an_epoch_is_a_row_and_a_variant_a_column_narrow_codes_first(results, curves):
    logs = curves.read_logs(results)
    head, _, *epochs, times = cells(curves.curve(logs))
    assert head == ["epoch", "`narrow`", "`short`", "`blind`"]
    assert [row[0] for row in epochs] == ["1", "2", "3"]
    for row, entry in zip(epochs, logs["short"], strict=False):
        assert row[2] == f"{entry['validation']['map']:.3f} ({entry['loss']:.3f})"
    assert epochs[2][2] == ""
    assert [row[3] for row in epochs] == [f"({entry['loss']:.3f})" for entry in logs["blind"]]
    assert times[2] == f"{logs['short'][-1]['processor_seconds'] / 2:.1f} s"


def test_a_variant_without_a_result_is_left_out(results, curves, tmp_path):
    copy = Path(shutil.copytree(results, tmp_path / "copy"))
    (copy / "short" / RESULT_NAME).unlink()
    assert list(curves.read_logs(copy)) == ["narrow", "blind"]
    for name in ("narrow", "blind"):
        (copy / name / RESULT_NAME).unlink()
    with pytest.raises(SystemExit, match="no finished variant"):
        curves.read_logs(copy)


def test_a_curve_takes_its_own_place_in_a_page(results, curves, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- table: begin -->\nkept\n<!-- table: end -->\n<!-- curve: begin -->\nold\n<!-- curve: end -->\n"
    )
    monkeypatch.setattr("sys.argv", ["curves.py", str(results), "--page", str(page)])
    curves.main()
    assert "kept" in page.read_text() and "old" not in page.read_text() and "`short`" in page.read_text()


def test_epochs_that_were_not_validated_are_no_rows_of_a_curve(curves):
    log = [{"epoch": epoch, "loss": 1.0, "processor_seconds": 1.0} for epoch in range(1, 5)]
    log[1]["validation"], log[3]["validation"] = {"map": 0.25}, {"map": 0.5}
    _, _, *epochs, _ = cells(curves.curve({"one": log}))
    assert epochs == [["2", "0.250 (1.000)"], ["4", "0.500 (1.000)"]]
