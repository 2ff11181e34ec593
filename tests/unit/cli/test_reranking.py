"""``hammingway search --rerank`` puts the nearest codes in the order of the vectors they were made of."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hammingway import load_hasher
from hammingway.code_files import read_codes
from hammingway.datasets.formats import read_neighbors

METRICS = ["cosine", "inner-product", "euclidean"]


def distances(metric, query, rows):
    query, rows = query.astype(np.float64), rows.astype(np.float64)
    if metric == "euclidean":
        return np.array([np.sqrt(np.sum((row - query) ** 2)) for row in rows])
    if metric == "inner-product":
        return np.array([-np.sum(row * query) for row in rows])
    return np.array([1 - row @ query / np.sqrt((row @ row) * (query @ query)) for row in rows])


def ranked(metric, query, rows, ids, k):
    """Return the k nearest of some vectors by (distance, id), and their distances."""
    by = distances(metric, query, rows)
    order = np.lexsort((ids, by))[:k]
    return [int(ids[i]) for i in order], by[order]


def by_bits(files, depth, ids):
    """Return the rows of the first ``depth`` codes of each query by (Hamming distance, id), bits counted one by one."""
    database, queries = (read_codes(files / f"{name}.codes").codes.unpack() for name in ("itq", "queries"))
    return [np.lexsort((ids, (database != query).sum(axis=1)))[:depth] for query in queries]


def agree(lines, expected):
    assert len(lines) == len(expected)
    for number, (line, (ids, by)) in enumerate(zip(lines, expected, strict=True)):
        assert (line["query"], line["ids"]) == (number, ids)
        np.testing.assert_allclose(line["distances"], by, rtol=1e-9, atol=1e-9)


def parsed(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def expected(files, depth, k, *, metric="cosine", ids=None):
    X, queries = np.load(files / "vectors.npy"), np.load(files / "queries.npy")
    ids = np.arange(300) if ids is None else ids
    return [
        ranked(metric, q, X[rows], ids[rows], k) for q, rows in zip(queries, by_bits(files, depth, ids), strict=True)
    ]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("database", ["itq.codes", "itq.index"])
@pytest.mark.parametrize(("depth", "k"), [(4, 4), (50, 4), (10**6, 300)])
def test_candidates_come_in_the_order_of_their_vectors(run, files, database, metric, depth, k):
    command = ["search", files / database, files / "queries.npy", "--model", files / "itq.model", "--json", "-k", k]
    command += ["--rerank", depth, "--originals", files / "vectors.npy", "--metric", metric]
    agree(parsed(run(*command)), expected(files, depth, k, metric=metric))


@pytest.mark.parametrize("kind", ["flat", "multi", "table", "ivf"])
def test_an_index_of_any_kind_serves(run, files, tmp_path, kind):
    settings = {"table": ["--set", "max_probes=1000000"], "ivf": ["--set", "n_probe=1000"]}.get(kind, [])
    run("index", files / "itq.codes", "--kind", kind, *settings, "--out", tmp_path / "i")
    command = ["search", tmp_path / "i", files / "queries.npy", "--model", files / "itq.model", "--json", "-k", 3]
    found = parsed(run(*command, "--rerank", 40, "--originals", files / "vectors.npy"))
    agree(found, expected(files, 40, 3))


def test_queries_in_codes_bring_their_vectors_beside(run, files):
    command = ["search", files / "itq.codes", files / "queries.codes", "--vectors", files / "queries.npy", "--json"]
    found = parsed(run(*command, "--rerank", 20, "--originals", files / "vectors.npy"))
    agree(found, expected(files, 20, 10))


def test_codes_with_ids_have_vectors_row_by_row(run, files):
    command = ["search", files / "numbered.codes", files / "queries.npy", "--model", files / "itq.model", "--json"]
    found = parsed(run(*command, "--rerank", 30, "--originals", files / "vectors.npy"))
    agree(found, expected(files, 30, 10, ids=np.arange(300) * 10))


@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_ids_say_whose_vector_a_row_is(run, files, vectors, tmp_path, kind):
    ids = np.random.default_rng(0).permutation(300)
    np.save(tmp_path / "ids.npy", ids)
    run("index", files / "itq.codes", "--ids", tmp_path / "ids.npy", "--kind", kind, "--out", tmp_path / "i")
    shuffled = np.random.default_rng(1).permutation(300)
    np.save(tmp_path / "rows.npy", vectors[shuffled])
    np.save(tmp_path / "row_ids.npy", ids[shuffled])
    command = ["search", tmp_path / "i", files / "queries.npy", "--model", files / "itq.model", "--json"]
    command += ["--rerank", 30, "--originals", tmp_path / "rows.npy", "--ids", tmp_path / "row_ids.npy"]
    agree(parsed(run(*command)), expected(files, 30, 10, ids=ids))


def test_candidates_may_be_ranked_by_scores(run, files, vectors):
    command = ["search", files / "itq.codes", files / "queries.npy", "--model", files / "itq.model", "--json"]
    command += ["--asymmetric", "--rerank", 25, "--originals", files / "vectors.npy"]
    hasher, queries = load_hasher(files / "itq.model"), np.load(files / "queries.npy")
    signs = read_codes(files / "itq.codes").codes.to_signs().astype(np.float64)
    rounded = hasher.project_queries(queries).astype(np.float64)
    rounded = np.rint(rounded * (127 / np.abs(rounded).max(axis=1, keepdims=True)))
    candidates = [np.lexsort((np.arange(300), -(signs @ row)))[:25] for row in rounded]
    agree(
        parsed(run(*command)),
        [ranked("cosine", q, vectors[rows], rows, 10) for q, rows in zip(queries, candidates, strict=True)],
    )


def test_parts_and_threads_do_not_change_the_answer(run, files, monkeypatch):
    command = ["search", files / "itq.codes", files / "vectors.npy", "--model", files / "itq.model", "--json"]
    command += ["--rerank", 20, "--originals", files / "vectors.npy"]
    whole = run(*command, "--threads", 1).stdout
    assert run(*command, "--threads", 3).stdout == whole
    monkeypatch.setattr("hammingway.cli.searching._MOST_QUERIES", 7)
    assert run(*command).stdout == whole
    assert [json.loads(line)["ids"][0] for line in whole.splitlines()] == list(range(300))


def test_arrays_of_one_file_are_named_apart(run, files, vectors, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "both.hdf5", "w") as file:
        file["train"], file["test"] = vectors, np.load(files / "queries.npy")
    command = ["search", files / "itq.codes", tmp_path / "both.hdf5", "--key", "test", "--model", files / "itq.model"]
    command += ["--rerank", 50, "--originals", tmp_path / "both.hdf5", "--originals-key", "train", "--json"]
    agree(parsed(run(*command)), expected(files, 50, 10))


def test_results_go_into_every_kind_of_file(run, files, tmp_path):
    command = ["search", files / "itq.codes", files / "queries.npy", "--model", files / "itq.model", "-k", 5]
    command += ["--rerank", 50, "--originals", files / "vectors.npy", "--asymmetric"]
    shown = run(*command, "--json").stdout
    ids = [json.loads(line)["ids"] for line in shown.splitlines()]
    for name in ("r.jsonl", "r.npy", "r.ibin"):
        assert run(*command, "--out", tmp_path / name).exit_code == 0
    assert (tmp_path / "r.jsonl").read_text() == shown
    assert np.load(tmp_path / "r.npy").tolist() == ids
    found, by = read_neighbors(tmp_path / "r.ibin")
    assert found.tolist() == ids
    np.testing.assert_allclose(by, [json.loads(line)["distances"] for line in shown.splitlines()], rtol=1e-6)


ORIGINALS = ["--originals", "vectors.npy"]
MODEL = ["queries.npy", "--model", "itq.model"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*MODEL, "--rerank", 20], ["give --originals"]),
        ([*MODEL, *ORIGINALS], ["--originals is for --rerank"]),
        ([*MODEL, "--originals-key", "train"], ["--originals-key is for --rerank"]),
        ([*MODEL, "--ids", "labels.npy"], ["--ids is for --rerank"]),
        (["queries.codes", "--vectors", "queries.npy"], ["--vectors is for --rerank"]),
        (["queries.codes", "--rerank", 20, *ORIGINALS], ["give --vectors"]),
        (["queries.codes", "--rerank", 20, *ORIGINALS, "--vectors", "vectors.npy"], ["300 rows for 7 queries"]),
        ([*MODEL, "--rerank", 9, *ORIGINALS], ["at least -k 10; got 9"]),
        ([*MODEL, "--rerank", 0, *ORIGINALS], ["0 is not in the range"]),
        ([*MODEL, "--radius", 3, "--rerank", 20, *ORIGINALS], ["--radius counts bits"]),
        ([*MODEL, "--rerank", 20, *ORIGINALS, "--metric", "manhattan"], ["'manhattan' is not one of"]),
        ([*MODEL, "--rerank", 20, "--originals", "queries.npy"], ["has 7 rows for 300 codes", "--ids"]),
        ([*MODEL, "--rerank", 20, "--originals", "wrong_width.npy"], ["(n_queries, 9)", "(7, 24)"]),
        ([*MODEL, "--rerank", 300, "--originals", "nan.npy"], ["row 200", "NaN"]),
        ([*MODEL, "--rerank", 20, "--originals", "truncated.npy"], ["truncated.npy", "truncated or damaged"]),
        ([*MODEL, "--rerank", 20, *ORIGINALS, "--ids", "labels.npy"], ["distinct"]),
        ([*MODEL, "--rerank", 20, *ORIGINALS, "--ids", "queries.npy"], ["an id a row of vectors.npy", "(7, 24)"]),
        ([*MODEL, "--rerank", 20, *ORIGINALS, "--ids", "text.txt"], ["text.txt holds no ids"]),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(refused, files, monkeypatch, arguments, words):
    monkeypatch.chdir(files)
    sentence = refused("search", "itq.codes", *arguments)
    assert [word for word in words if word not in sentence] == []


def test_an_index_whose_ids_have_no_vectors_is_refused_before_any_answer(run, refused, files, tmp_path):
    run("index", files / "numbered.codes", "--out", tmp_path / "i")
    command = ["search", tmp_path / "i", files / "queries.npy", "--model", files / "itq.model", "--rerank", 20]
    sentence = refused(*command, "--originals", files / "vectors.npy")
    assert "lacks vectors of the database (ids 300, 310, 320" in sentence
    assert sentence.endswith("say by --ids which row holds which id.")
