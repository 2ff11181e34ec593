"""``hammingway evaluate`` prints what a plain NumPy computation gives, one record a run."""

from __future__ import annotations

import json
import os
import shutil
import sys

import numpy as np
import pytest

from hammingway import RandomHyperplanes, load_hasher
from hammingway.datasets import from_vectors, load
from hammingway.metrics import average_precision, distance_counts


def recall_of_lsh(vectors: np.ndarray, n_bits: int, n_queries: int) -> float:
    """Return the share of 10 exact neighbours among the first 10 by (Hamming distance, id), query rows held out."""
    data = from_vectors(vectors, n_queries=n_queries, seed=0)
    queries, database = data.queries, data.database
    hasher = RandomHyperplanes(n_bits, random_state=0).fit(database)
    bits, query_bits = hasher.encode(database).unpack(), hasher.encode(queries).unpack()
    hamming = (bits[None] != query_bits[:, None]).sum(axis=2)
    real = ((queries[:, None].astype(float) - database[None]) ** 2).sum(axis=2)
    found, true = (np.argsort(distances, axis=1, kind="stable")[:, :10] for distances in (hamming, real))
    return float(np.mean([len(set(f) & set(t)) / 10 for f, t in zip(found, true, strict=True)]))


def test_recall_of_each_run_is_that_of_a_plain_computation(run, files, vectors):
    options = ["--hasher", "lsh,itq", "--bits", "9,16", "--queries", 50, "--repeats", 1, "--json"]
    result = run("evaluate", files / "vectors.npy", *options)
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(record["hasher"], record["n_bits"]) for record in records] == [
        ("lsh", 9),
        ("lsh", 16),
        ("itq", 9),
        ("itq", 16),
    ]
    for record in records[:2]:
        assert record["quality"]["r10@10"] == pytest.approx(recall_of_lsh(vectors, record["n_bits"], 50))


def test_table_has_a_line_a_run(run, files):
    result = run("evaluate", files / "vectors.npy", "--hasher", "lsh", "--bits", "8,9", "--queries", 20, "--repeats", 1)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines if line[:1] == ["lsh"]] == [["lsh", "8"], ["lsh", "9"]]


def test_output_folder_gets_records_and_a_report_and_a_second_run_measures_nothing_again(run, files, tmp_path):
    command = ["evaluate", files / "vectors.npy", "--hasher", "lsh", "--bits", 8, "--queries", 20, "--repeats", 1]
    assert run(*command, "--out", tmp_path / "out").exit_code == 0
    records = (tmp_path / "out" / "records.jsonl").read_text()
    assert len(records.splitlines()) == 1
    assert (tmp_path / "out" / "report.html").read_text().startswith("<!")
    assert run(*command, "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "records.jsonl").read_text() == records


def test_a_folder_is_added_to_and_its_report_shows_the_runs_of_the_last_command(run, files, tmp_path):
    for n_bits, n_records in [(8, 1), (9, 2)]:
        command = ["evaluate", files / "vectors.npy", "--hasher", "lsh", "--bits", n_bits, "--queries", 20]
        assert run(*command, "--repeats", 1, "--out", tmp_path).exit_code == 0
        assert len((tmp_path / "records.jsonl").read_text().splitlines()) == n_records
    page = (tmp_path / "report.html").read_text()
    assert "<h4>9 bits</h4>" in page
    assert "<h4>8 bits</h4>" not in page


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ("absent.npy", [], ["absent.npy", "no such file", "digits"]),
        ("truncated.npy", [], ["truncated or damaged"]),
        ("nan.npy", [], ["NaN"]),
        ("vectors.npy", ["--hasher", "lsh,iqt"], ["'--hasher'", "No hashers named 'iqt'. Did you mean 'itq'?"]),
        ("vectors.npy", ["--bits", "8,0"], ["'--bits'", "0 is not in the range 1<=x<=4096"]),
        ("vectors.npy", ["--queries", 0], ["'--queries'", "0"]),
        ("vectors.npy", ["--queries", 300], ["--queries must lie from 1 to 299"]),
        ("vectors.npy", ["--labels", "absent.npy"], ["absent.npy", "cannot be read: No such file"]),
        ("vectors.npy", ["--plan", "text.txt"], ["either DATA or --plan"]),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(refused, files, monkeypatch, data, options, words):
    monkeypatch.chdir(files)
    small = [] if "--queries" in options else ["--queries", 20]
    sentence = refused("evaluate", data, *options, *small)
    assert [word for word in words if word not in sentence] == []


def test_names_in_a_plan_are_told_as_they_stand_there(refused, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('title = "t"\n[data]\npath = "x"\n[[hashers]]\nname = "lsh"\n')
    sentence = refused("evaluate", "--plan", plan)
    assert "unknown key 'path'" in sentence
    assert "--" not in sentence


def test_a_narrow_terminal_cuts_no_digit_off_the_table(run, files, monkeypatch):
    options = ("--hasher", "lsh", "--bits", "8", "--queries", 20, "--repeats", 1)
    monkeypatch.setenv("COLUMNS", "40")
    narrow = run("evaluate", files / "vectors.npy", *options).stdout
    assert "…" not in narrow
    assert "queries/s" in narrow


def test_a_name_in_brackets_is_printed_as_it_stands(run, files, tmp_path):
    shutil.copy(files / "vectors.npy", tmp_path / "[red]v :cat:.npy")
    options = ("--hasher", "lsh", "--bits", "8", "--queries", 20, "--repeats", 1, "--out", tmp_path / "out")
    result = run("evaluate", tmp_path / "[red]v :cat:.npy", *options)
    assert result.stdout.startswith("[red]v :cat:.npy")
    assert "hammingway evaluate &#39;[red]v :cat:.npy&#39; --hasher" in (tmp_path / "out" / "report.html").read_text()


def test_labels_that_are_not_there_are_named_as_a_file(refused, files):
    sentence = refused("evaluate", files / "vectors.npy", "--labels", files / "absent.npy", "--queries", 20)
    assert "absent.npy cannot be read: No such file or directory." in sentence


def test_json_and_markdown_exclude_each_other(refused, files):
    assert "exclude each other" in refused("evaluate", files / "vectors.npy", "--json", "--markdown")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_a_file_name_that_is_no_text_is_refused_before_any_run(refused, files, tmp_path):
    path = tmp_path / os.fsdecode(b"v\xff.npy")
    shutil.copy(files / "vectors.npy", path)
    assert "is no UTF-8 text, as records are; rename the file." in refused("evaluate", path, "--queries", 20)


def test_rankings_stand_in_json_table_and_report(run, files, tmp_path):
    command = ["evaluate", files / "vectors.npy", "--hasher", "itq", "--bits", 9, "--queries", 20, "--repeats", 1]
    command += ["--rankings", "asymmetric-8,rerank-280", "--out", tmp_path / "out"]
    printed = json.loads(run(*command, "--json").stdout)
    assert list(printed["rankings"]) == ["asymmetric-8", "rerank-280"]
    assert printed["rankings"]["rerank-280"]["quality"]["r10@10"] == 1.0
    assert printed["rankings"]["asymmetric-8"]["queries_per_second"] > 0
    lines = run(*command).stdout.splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("itq")] == [
        ["itq", "9", "2"],
        ["itq", "asymmetric-8", "9"],
        ["itq", "rerank-280", "9"],
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "itq asymmetric-8" in page
    assert "--rankings asymmetric-8,rerank-280" in page


def test_models_alone_are_measured_without_a_fit(run, files):
    command = ["evaluate", files / "vectors.npy", "--model", files / "itq.model", "--queries", 20, "--repeats", 1]
    command += ["--labels", files / "labels.npy", "--rankings", "asymmetric-8"]
    result = run(*command, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["hasher"], record["n_bits"], record["fit_seconds"]) == ("itq", 13, None)
    assert record["model"] == load_hasher(files / "itq.model").fingerprint()
    assert {"r10@10", "mAP@all"} <= set(record["quality"])
    assert list(record["rankings"]) == ["asymmetric-8"]
    assert result.stderr.count("the queries may have been among them.\n") == 1
    assert "the queries may have been among them.\n" in run(*command).stdout
    assert "the queries may have been among them.\n" in run(*command, "--markdown").stdout


def test_models_stand_beside_hashers_that_are_typed(run, files, tmp_path):
    command = ["evaluate", files / "vectors.npy", "--queries", 20, "--repeats", 1, "--out", tmp_path / "out"]
    result = run(*command, "--hasher", "lsh", "--bits", "8,9", "--model", files / "itq.model")
    rows = [line.split()[:2] for line in result.stdout.splitlines() if line.startswith(("lsh ", "itq("))]
    assert rows[:3] == [["lsh", "8"], ["lsh", "9"], [f"itq(model={files / 'itq.model'})", "13"]]
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"--hasher lsh --bits 8,9 --model {files / 'itq.model'} --queries 20" in page


def test_a_model_that_was_trained_again_is_measured_again(run, files, tmp_path, vectors):
    command = ["evaluate", files / "vectors.npy", "--queries", 20, "--repeats", 1, "--out", tmp_path]
    for seed, n_records in [(0, 1), (0, 1), (1, 2)]:
        RandomHyperplanes(8, random_state=seed).fit(vectors).save(tmp_path / "h.hwh")
        assert run(*command, "--model", tmp_path / "h.hwh").exit_code == 0
        assert len((tmp_path / "records.jsonl").read_text().splitlines()) == n_records


def test_models_in_a_plan_lie_below_its_folder(run, files, tmp_path):
    shutil.copy(files / "itq.model", tmp_path / "h.hwh")
    plan = tmp_path / "plan.toml"
    plan.write_text('repeats = 1\n[data]\ndataset = "vectors.npy"\nn_queries = 20\n[[models]]\nfile = "h.hwh"\n')
    result = run("evaluate", "--plan", plan, "--data-dir", files)
    assert result.exit_code == 0, result.output
    assert "\nitq(model=h.hwh)" in result.stdout


def test_a_deep_model_is_measured_on_a_named_data_set(run, tmp_path):
    deep = pytest.importorskip("hammingway.deep")
    data = load("digits")
    hasher = deep.DSH(8, training={"epochs": 1}, random_state=0).fit(data.training, data.training_labels)
    hasher.save(tmp_path / "h.hwh")
    result = run("evaluate", "digits", "--protocol", "digits", "--model", tmp_path / "h.hwh", "--repeats", 1, "--json")
    counts = distance_counts(
        hasher.encode(data.queries), hasher.encode(data.database), (data.query_labels, data.database_labels)
    )
    assert json.loads(result.stdout)["quality"]["mAP@all"] == pytest.approx(average_precision(counts).mean())


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ("wrong_width.npy", ["--model", "itq.model"], ["itq.model takes vectors of 24 dimensions", "the data has 9"]),
        ("vectors.npy", ["--model", "truncated.codes"], ["truncated.codes", "hasher file"]),
        ("vectors.npy", ["--model", "itq.codes"], ["itq.codes", "codes"]),
        ("vectors.npy", ["--model", "absent.model"], ["'--model'", "absent.model", "does not exist"]),
        ("vectors.npy", ["--model", "itq.model", "--model", "itq.model"], ["the same hasher; leave one of them out"]),
        ("vectors.npy", ["--model", "itq.model", "--bits", "8"], ["has its own width; leave out --bits"]),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused_in_one_sentence(refused, files, monkeypatch, data, options, words):
    monkeypatch.chdir(files)
    sentence = refused("evaluate", data, *options, "--queries", 20)
    assert [word for word in words if word not in sentence] == []


def test_an_unknown_ranking_is_refused(refused, files):
    assert "there is no ranking 'hamming'" in refused("evaluate", files / "vectors.npy", "--rankings", "hamming")
