"""``hammingway search`` finds what the library finds, and refuses queries of another hasher."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hammingway import ITQ, Codes, FlatIndex, IVFIndex, MultiIndex, RandomHyperplanes, TableIndex, load_hasher
from hammingway.code_files import read_codes
from hammingway.datasets.formats import read_neighbors, read_vectors


@pytest.fixture
def expected(files):
    """Return the library's answer for k neighbours of the queries in queries.codes."""
    index = FlatIndex(13).add(read_codes(files / "itq.codes").codes)
    return lambda k: index.search(read_codes(files / "queries.codes").codes, k)


def parsed(lines: str) -> list[dict]:
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("database", ["itq.codes", "itq.index"])
@pytest.mark.parametrize("queries", [["queries.codes"], ["queries.npy", "--model", "itq.model"]])
def test_neighbours_are_those_of_the_library(run, files, expected, monkeypatch, database, queries):
    monkeypatch.chdir(files)
    result = run("search", database, *queries, "-k", 6, "--json")
    assert result.exit_code == 0, result.output
    assert [(line["query"], line["ids"], line["distances"]) for line in parsed(result.stdout)] == [
        (i, ids.tolist(), distances.tolist()) for i, (ids, distances) in enumerate(expected(6))
    ]


@pytest.mark.parametrize(
    ("made", "options"),
    [(MultiIndex, {}), (TableIndex, {"bits": range(5), "max_probes": 4}), (IVFIndex, {"n_cells": 6, "n_probe": 2})],
    ids=["multi", "table", "ivf"],
)
def test_a_saved_index_of_any_kind_is_searched(run, files, tmp_path, made, options):
    index = made(13, **options).add(read_codes(files / "itq.codes").codes)
    index.save(tmp_path / "index")
    queries = read_codes(files / "queries.codes").codes
    found = parsed(run("search", tmp_path / "index", files / "queries.codes", "-k", 4, "--json").stdout)
    assert [line["ids"] for line in found] == [
        [number for number in ids.tolist() if number >= 0] for ids in index.search(queries, 4).ids
    ]
    near = parsed(run("search", tmp_path / "index", files / "queries.codes", "--radius", 3, "--json").stdout)
    assert [line["ids"] for line in near] == [ids.tolist() for ids, _ in index.search_radius(queries, 3)]


def test_cells_are_probed_in_the_number_asked_for(run, refused, files, tmp_path, expected):
    IVFIndex(13, n_cells=6, n_probe=1).add(read_codes(files / "itq.codes").codes).save(tmp_path / "ivf")
    query = (files / "queries.codes", "-k", 6, "--json", "--n-probe", 6)
    found = parsed(run("search", tmp_path / "ivf", *query).stdout)
    assert [line["distances"] for line in found] == expected(6).distances.tolist()
    assert [line["ids"] for line in found] == expected(6).ids.tolist()
    assert "--n-probe is for an index of the kind ivf" in refused("search", files / "itq.codes", *query)


def test_a_table_is_probed_in_order_of_confidence_where_the_hasher_gives_it(run, files, tmp_path):
    table = TableIndex(13, max_probes=4).add(read_codes(files / "itq.codes").codes)
    table.save(tmp_path / "table")
    hasher, X = load_hasher(files / "itq.model"), read_vectors(files / "queries.npy")
    scores, codes = hasher.project(X), hasher.encode(X)
    typed = ("search", tmp_path / "table", files / "queries.npy", "--model", files / "itq.model", "--json")
    for limits in ({}, {"max_probes": 30}, {"max_probes": 8192, "max_candidates": 9}):
        for name, limit in limits.items():
            setattr(table, name, limit)
        options = [word for name, limit in limits.items() for word in (f"--{name.replace('_', '-')}", limit)]
        found = parsed(run(*typed, "-k", 4, *options).stdout)
        confident = table.search(codes, 4, scores=scores)
        assert [line["ids"] for line in found] == [[one for one in ids.tolist() if one >= 0] for ids in confident.ids]
        near = parsed(run(*typed, "--radius", 6, *options).stdout)
        expected = table.search_radius(codes, 6, scores=scores)
        assert [line["ids"] for line in near] == [ids.tolist() for ids, _ in expected]
    table.max_probes, table.max_candidates = 60, None
    assert (table.search(codes, 4).ids != table.search(codes, 4, scores=scores).ids).any()


@pytest.mark.parametrize("option", ["--max-probes", "--max-candidates"])
def test_limits_of_a_table_are_refused_for_other_indexes(refused, files, option):
    sentence = refused("search", files / "itq.index", files / "queries.codes", option, 5)
    assert f"{option} is for an index of the kind table" in sentence


@pytest.mark.parametrize(
    ("idle", "needed"),
    [
        (("--query-bits", 8), "--asymmetric"),
        (("--prefix-bits", 8), "--asymmetric"),
        (("--metric", "cosine"), "--rerank"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(refused, files, idle, needed):
    sentence = refused("search", files / "itq.codes", files / "queries.codes", *idle)
    assert f"{idle[0]} is for {needed}" in sentence


def test_text_is_a_line_a_query_of_id_and_distance(run, files, expected):
    lines = run("search", files / "itq.codes", files / "queries.codes", "-k", 2).stdout.splitlines()
    for i, (ids, distances) in enumerate(expected(2)):
        assert lines[i] == f"{i} {ids[0]}:{distances[0]} {ids[1]}:{distances[1]}"
    assert len(lines) == 7


def test_ten_neighbours_are_found_unless_told_otherwise(run, files, expected):
    lines = parsed(run("search", files / "itq.codes", files / "queries.codes", "--json").stdout)
    assert [line["ids"] for line in lines] == expected(10).ids.tolist()


def test_more_neighbours_than_codes_gives_every_code_once(run, files):
    lines = parsed(run("search", files / "itq.codes", files / "queries.codes", "-k", 1000, "--json").stdout)
    assert all(sorted(line["ids"]) == list(range(300)) for line in lines)


def test_ids_of_the_codes_are_kept(run, files, expected):
    lines = parsed(run("search", files / "numbered.codes", files / "queries.codes", "-k", 4, "--json").stdout)
    assert [line["ids"] for line in lines] == (expected(4).ids * 10).tolist()


@pytest.mark.parametrize("radius", [0, 2, 13, 100])
def test_radius_finds_what_the_library_finds(run, files, radius):
    index = FlatIndex(13).add(read_codes(files / "itq.codes").codes)
    found = index.search_radius(read_codes(files / "queries.codes").codes, radius)
    lines = parsed(run("search", files / "itq.codes", files / "queries.codes", "--radius", radius, "--json").stdout)
    assert [(line["ids"], line["distances"]) for line in lines] == [(i.tolist(), d.tolist()) for i, d in found]


def test_parts_do_not_change_the_answer(run, files, monkeypatch):
    command = ["search", files / "itq.codes", files / "itq.codes", "-k", 3, "--json"]
    whole = run(*command).stdout
    monkeypatch.setattr("hammingway.cli.searching._MOST_QUERIES", 7)
    assert run(*command).stdout == whole
    assert [line["query"] for line in parsed(whole)] == list(range(300))


def test_threads_do_not_change_the_answer(run, files):
    command = ["search", files / "itq.codes", files / "itq.codes", "--json", "--threads"]
    assert run(*command, 1).stdout == run(*command, 3).stdout


def test_output_in_json_lines_is_what_stdout_would_have_shown(run, files, tmp_path):
    shown = run("search", files / "itq.codes", files / "queries.codes", "--json").stdout
    result = run("search", files / "itq.codes", files / "queries.codes", "--out", tmp_path / "r.jsonl")
    assert (tmp_path / "r.jsonl").read_text() == shown
    assert result.stdout == f"{tmp_path / 'r.jsonl'}: results of 7 queries.\n"


@pytest.mark.parametrize("ending", [".npy", ".ivecs"])
def test_output_as_an_array_holds_the_ids(run, files, tmp_path, expected, ending):
    run("search", files / "itq.codes", files / "queries.codes", "-k", 5, "--out", tmp_path / f"r{ending}")
    np.testing.assert_array_equal(read_vectors(tmp_path / f"r{ending}"), expected(5).ids)


def test_output_as_ibin_holds_ids_and_distances(run, files, tmp_path, expected):
    result = run(
        "search", files / "itq.codes", files / "queries.codes", "-k", 5, "--out", tmp_path / "r.ibin", "--json"
    )
    ids, distances = read_neighbors(tmp_path / "r.ibin")
    np.testing.assert_array_equal(ids, expected(5).ids)
    np.testing.assert_array_equal(distances, expected(5).distances)
    assert json.loads(result.stdout) == {
        "n_queries": 7,
        "n": 300,
        "n_bits": 13,
        "k": 5,
        "radius": None,
        "out": str(tmp_path / "r.ibin"),
    }


def test_file_that_does_not_name_its_encoder_is_searched_with_a_note_on_stderr(run, files, expected):
    result = run("search", files / "itq.codes", files / "unsigned.codes", "-k", 3, "--json")
    assert [line["ids"] for line in parsed(result.stdout)] == expected(3).ids.tolist()
    assert result.stderr.startswith("Note: ")
    assert "does not say which hasher made its codes" in result.stderr


def test_equal_encoders_need_no_note(run, files):
    assert run("search", files / "itq.codes", files / "queries.codes").stderr == ""


def test_codes_of_another_hasher_are_refused(refused, files):
    sentence = refused("search", files / "itq.codes", files / "other.codes")
    assert read_codes(files / "itq.codes").encoder in sentence
    assert read_codes(files / "other.codes").encoder in sentence
    assert "encode both with one fitted hasher" in sentence


def test_model_of_another_hasher_is_refused(run, refused, files, tmp_path):
    run("fit", files / "vectors.npy", "--hasher", "itq", "--bits", 13, "--seed", 1, "--out", tmp_path / "m")
    sentence = refused("search", files / "itq.codes", files / "queries.npy", "--model", tmp_path / "m")
    assert "encode both with one fitted hasher" in sentence


@pytest.mark.parametrize("kind", ["flat", "ivf", "multi", "table"])
def test_model_or_codes_of_another_hasher_than_a_saved_indexs_are_refused(kind, run, refused, files, vectors, tmp_path):
    ITQ(13, random_state=1).fit(vectors).save(tmp_path / "other.model")
    assert run("index", files / "itq.codes", "--kind", kind, "--out", tmp_path / "i").exit_code == 0
    other, index = load_hasher(tmp_path / "other.model"), tmp_path / "i"
    for options in ([], ["--asymmetric"]):
        sentence = refused("search", index, files / "queries.npy", "--model", tmp_path / "other.model", *options)
        assert f"encodes as {other.fingerprint()}, the database was encoded as" in sentence
        assert load_hasher(files / "itq.model").fingerprint() in sentence
    assert "encode both with one fitted hasher" in refused("search", index, files / "other.codes")
    result = run("search", index, files / "queries.npy", "--model", files / "itq.model")
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("database", "queries", "options", "words"),
    [
        ("absent", "queries.codes", [], ["'DATABASE'", "does not exist"]),
        ("itq.codes", "absent", [], ["'QUERIES'", "does not exist"]),
        ("itq.codes", "queries.npy", [], ["queries.npy", "give --model"]),
        ("vectors.npy", "queries.codes", [], ["vectors.npy", "hammingway encode"]),
        ("itq.model", "queries.codes", [], ["itq.model", "holds a hasher"]),
        ("truncated.codes", "queries.codes", [], ["truncated.codes", "damaged"]),
        ("itq.codes", "truncated.codes", [], ["truncated.codes", "damaged"]),
        ("itq.codes", "wide.codes", [], ["14", "13"]),
        ("itq.codes", "queries.codes", ["-k", 0], ["'-k'", "0 is not in the range 1<=x<=2147483647"]),
        ("itq.codes", "queries.codes", ["--radius", -1], ["'--radius'", "-1"]),
        ("itq.codes", "queries.codes", ["--threads", 0], ["'--threads'", "0"]),
        ("itq.codes", "queries.codes", ["-k", 3, "--radius", 3], ["-k and --radius exclude each other"]),
        ("itq.codes", "queries.codes", ["--radius", 3, "--out", "r.npy"], ["--radius", ".jsonl"]),
        ("itq.codes", "queries.codes", ["--out", "r.txt"], ["'--out'", ".jsonl or .npy"]),
        ("itq.codes", "wrong_width.npy", ["--model", "itq.model"], ["9 features", "24 features"]),
        ("itq.codes", "nan.npy", ["--model", "itq.model"], ["NaN"]),
        ("itq.codes", "queries.npy", ["--model", "queries.codes"], ["holds a codes"]),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(
    refused, files, tmp_path, monkeypatch, database, queries, options, words
):
    monkeypatch.chdir(files)
    options = [tmp_path / option if str(option).startswith("r.") else option for option in options]
    sentence = refused("search", database, queries, *options)
    assert [word for word in words if word not in sentence] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none.npy", "none.ibin"])
def test_no_query_gives_an_empty_array_or_one_sentence(run, files, vectors, tmp_path, name):
    np.save(tmp_path / "none.queries.npy", vectors[:0])
    arguments = ("search", files / "itq.codes", tmp_path / "none.queries.npy", "--model", files / "itq.model", "-k", 3)
    result = run(*arguments, "--out", tmp_path / name)
    if name == "none.npy":
        assert result.exit_code == 0, result.output
        assert np.load(tmp_path / name).shape == (0, 3)
    else:
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ids and distances must share one shape (n, k), not empty")


def test_an_ending_in_capitals_is_json_lines_too(run, files, tmp_path):
    out = tmp_path / "found.JSONL"
    assert run("search", files / "itq.codes", files / "itq.codes", "--radius", 0, "--out", out).exit_code == 0
    assert len(out.read_text().splitlines()) == 300


def test_a_number_beyond_all_reason_is_refused(refused, files):
    assert "is not in the range" in refused("search", files / "itq.codes", files / "itq.codes", "-k", 10**20)


@pytest.mark.parametrize("query_bits", [4, 8])
@pytest.mark.parametrize("database", ["itq.codes", "itq.index"])
def test_asymmetric_results_are_those_of_the_library(run, files, tmp_path, database, query_bits):
    command = ["search", files / database, files / "queries.npy", "--model", files / "itq.model", "-k", 6]
    command += ["--asymmetric", "--query-bits", query_bits]
    index = FlatIndex(13).add(read_codes(files / "itq.codes").codes)
    scores = load_hasher(files / "itq.model").project_queries(np.load(files / "queries.npy"))
    found = index.search_asymmetric(scores, 6, query_bits=query_bits)
    lines = parsed(run(*command, "--json").stdout)
    assert [(line["ids"], line["scores"]) for line in lines] == [(i.tolist(), s.tolist()) for i, s in found]
    assert run(*command, "--out", tmp_path / "ids.npy").exit_code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "ids.npy"), found.ids)


@pytest.mark.parametrize("database", ["itq.codes", "itq.index", "ivf.index"])
def test_a_prefix_is_ranked_as_codes_that_short(run, files, tmp_path, database):
    codes = read_codes(files / "itq.codes").codes
    IVFIndex(13, n_cells=4, n_probe=4).add(codes).save(tmp_path / "ivf.index")
    path = next(folder / database for folder in (files, tmp_path) if (folder / database).exists())
    model = ["--model", files / "itq.model", "--asymmetric", "--prefix-bits", 9]
    scores = load_hasher(files / "itq.model").project_queries(np.load(files / "queries.npy"))
    short = FlatIndex(9).add(Codes.from_bits(codes.unpack()[:, :9])).search_asymmetric(scores[:, :9], 6)
    found = parsed(run("search", path, files / "queries.npy", *model, "-k", 6, "--json").stdout)
    assert [(line["ids"], line["scores"]) for line in found] == [(i.tolist(), s.tolist()) for i, s in short]


def test_a_prefix_longer_than_the_codes_is_refused(refused, files):
    command = ["search", files / "itq.codes", files / "queries.npy", "--model", files / "itq.model", "--asymmetric"]
    assert refused(*command, "--prefix-bits", 14) == "--prefix-bits must lie in 1 to 13; got 14."


def test_asymmetric_search_says_what_it_needs(refused, files, tmp_path):
    codes, vectors = ["search", files / "itq.codes"], [files / "queries.npy", "--model", files / "itq.model"]
    assert "give --model" in refused(*codes, files / "queries.codes", "--asymmetric")
    assert "--radius counts bits" in refused(*codes, *vectors, "--asymmetric", "--radius", 3)
    assert "not scores" in refused(*codes, *vectors, "--asymmetric", "--out", tmp_path / "found.ibin")
    other = RandomHyperplanes(12, random_state=0).fit(np.load(files / "vectors.npy"))
    other.save(tmp_path / "other.model")
    model = ["--model", tmp_path / "other.model", "--asymmetric"]
    assert "was encoded as" in refused(*codes, files / "queries.npy", *model)


def test_scores_of_another_width_than_the_index_are_refused(run, files, tmp_path):
    RandomHyperplanes(12, random_state=0).fit(np.load(files / "vectors.npy")).save(tmp_path / "other.model")
    model = ["--model", tmp_path / "other.model", "--asymmetric"]
    result = run("search", files / "itq.index", files / "queries.npy", *model)
    assert result.exit_code == 2
    assert "gives 12 scores a query; the database has 13 bits" in result.stderr
