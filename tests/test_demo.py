import json

import numpy as np
import pytest
from click.testing import CliRunner

from hammingway.bench.spec import PlanSpec
from hammingway.bench.store import read_records
from hammingway.cli.main import main


@pytest.fixture
def small_demo(monkeypatch):
    """Two hashers at two widths instead of seven at four, everything else as it is."""
    from hammingway.bench import session

    values = {name: getattr(session.DEMO_PLAN, name) for name in ("data", "title")}
    plan = PlanSpec(hashers=session.DEMO_PLAN.hashers[:2], n_bits=(8, 16), repeats=1, **values)
    monkeypatch.setattr(session, "DEMO_PLAN", plan)


@pytest.fixture
def vectors(tmp_path):
    rng = np.random.default_rng(5)
    np.save(tmp_path / "x.npy", rng.normal(size=(200, 12)).astype(np.float32))
    np.save(tmp_path / "y.npy", rng.integers(3, size=200))
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def evaluate(folder, *arguments):
    return invoke("evaluate", folder / "x.npy", "--queries", 20, "--repeats", 1, *arguments)


def test_the_demo_prints_a_table_and_writes_a_report(small_demo, tmp_path):
    result = invoke("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    assert "r10@10" in result.output
    assert "report.html" in result.output
    assert (tmp_path / "demo" / "report.html").stat().st_size > 100_000
    assert len(read_records(tmp_path / "demo" / "records.jsonl")) == 4


def test_json_is_one_record_a_line(vectors):
    result = evaluate(vectors, "--hasher", "lsh,itq", "--bits", "8,12", "--json")
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["hasher"], one["n_bits"]) for one in records] == [("lsh", 8), ("lsh", 12), ("itq", 8), ("itq", 12)]
    assert all(0 <= one["quality"]["r10@10"] <= 1 for one in records)
    assert not any("mAP@all" in one["quality"] for one in records)


def test_labels_add_map(vectors):
    result = evaluate(vectors, "--bits", "8", "--hasher", "lsh", "--labels", vectors / "y.npy", "--json")
    assert json.loads(result.stdout)["quality"]["mAP@all"] > 0.2


def test_an_interrupted_plan_goes_on_where_it_stopped(vectors):
    out = vectors / "out"
    assert evaluate(vectors, "--hasher", "lsh", "--bits", "8", "--out", out).exit_code == 0
    first = (out / "records.jsonl").read_bytes()
    (out / "records.jsonl").write_bytes(first + b'{"run_id": "b2:unfini')
    assert evaluate(vectors, "--hasher", "lsh", "--bits", "8,9", "--out", out).exit_code == 0
    assert (out / "records.jsonl").read_bytes().startswith(first)
    assert [one.spec.n_bits for one in read_records(out / "records.jsonl")] == [8, 9]
    assert "9 bits" in (out / "report.html").read_text()


def test_a_refused_run_is_shown_with_its_reason(vectors):
    result = evaluate(vectors, "--hasher", "lsh,pcah", "--bits", "13")
    assert result.exit_code == 0, result.output
    assert "Not run: pcah at 13 bits" in result.output


def test_markdown_has_every_metric(vectors):
    result = evaluate(vectors, "--hasher", "lsh", "--bits", "8", "--markdown")
    assert result.output.startswith("| hasher | bits | bytes | r1@1 | r10@10 | r10@100 |")
    assert "\n\n180 vectors of 12 dimensions, 20 queries; exact neighbours by Euclidean distance.\n" in result.output


def test_a_plan_file_decides_and_refuses_other_options(vectors):
    plan = vectors / "plan.toml"
    plan.write_text('n_bits = [8]\nrepeats = 1\n[data]\ndataset = "x.npy"\nn_queries = 10\n[[hashers]]\nname = "lsh"\n')
    good = invoke("evaluate", "--plan", plan, "--data-dir", vectors, "--json")
    assert good.exit_code == 0, good.output
    assert json.loads(good.stdout)["n_bits"] == 8
    bad = invoke("evaluate", "--plan", plan, "--data-dir", vectors, "--bits", "16")
    assert bad.exit_code == 2
    assert "--bits stands in the plan file" in bad.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["absent.npy"], "no such file"),
        ([], "give either DATA or --plan"),
        (["digits", "--hasher", "itk", "--bits", "8"], "Did you mean 'itq'"),
        (["digits", "--bits", "0"], "0"),
        (["digits", "--bits", "8,8"], "twice"),
        (["digits", "--labels", "y.npy"], "brings its own"),
        (["digits", "--bits", "65", "--hasher", "pcah"], "No run was possible: pcah at 65 bits"),
    ],
)
def test_mistakes_give_one_sentence_and_exit_code_two(arguments, sentence):
    result = invoke("evaluate", *arguments)
    assert result.exit_code == 2
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1
