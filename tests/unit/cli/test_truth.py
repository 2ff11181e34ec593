"""``hammingway truth`` writes the exact neighbours, checked against a plain NumPy sort."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hammingway.datasets.formats import read_neighbors, read_vectors


def closeness(queries: np.ndarray, database: np.ndarray, metric: str) -> np.ndarray:
    """Return every distance in double precision, (n_queries, n); smaller is nearer."""
    queries, database = queries.astype(np.float64), database.astype(np.float64)
    if metric == "euclidean":
        return np.sqrt(((queries[:, None] - database[None]) ** 2).sum(axis=2))
    products = queries @ database.T
    if metric == "inner-product":
        return -products
    return 1 - products / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(database, axis=1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "inner-product"])
def test_ids_and_distances_are_those_of_a_full_sort(run, files, vectors, tmp_path, metric):
    command = ["truth", files / "vectors.npy", files / "queries.npy", "-k", 9, "--metric", metric]
    result = run(*command, "--out", tmp_path / "ids.ivecs", "--distances", tmp_path / "distances.fvecs")
    assert result.exit_code == 0, result.output
    every = closeness(np.load(files / "queries.npy"), vectors, metric)
    ids = np.argsort(every, axis=1, kind="stable")[:, :9]
    np.testing.assert_array_equal(read_vectors(tmp_path / "ids.ivecs"), ids)
    expected = np.take_along_axis(every, ids, axis=1)
    np.testing.assert_allclose(read_vectors(tmp_path / "distances.fvecs"), expected, rtol=1e-5, atol=1e-6)


def test_ibin_holds_ids_and_distances(run, files, tmp_path):
    command = ["truth", files / "vectors.npy", files / "queries.npy", "-k", 3]
    run(*command, "--out", tmp_path / "truth.ibin")
    run(*command, "--out", tmp_path / "ids.npy", "--distances", tmp_path / "distances.npy")
    ids, distances = read_neighbors(tmp_path / "truth.ibin")
    np.testing.assert_array_equal(ids, np.load(tmp_path / "ids.npy"))
    np.testing.assert_array_equal(distances, np.load(tmp_path / "distances.npy"))


def test_a_hundred_neighbours_by_euclidean_distance_unless_told_otherwise(run, files, tmp_path):
    result = run("truth", files / "vectors.npy", files / "queries.npy", "--out", tmp_path / "ids.npy", "--json")
    expected = {"n_queries": 7, "n": 300, "k": 100, "metric": "euclidean", "out": str(tmp_path / "ids.npy")}
    assert json.loads(result.stdout) == expected
    assert np.load(tmp_path / "ids.npy").shape == (7, 100)


def test_each_file_has_its_own_key(run, vectors, tmp_path):
    np.savez(tmp_path / "two.npz", base=vectors, test=vectors[:2])
    options = ["--key", "base", "--queries-key", "test", "-k", 1, "--out", tmp_path / "ids.npy"]
    assert run("truth", tmp_path / "two.npz", tmp_path / "two.npz", *options).exit_code == 0
    assert np.load(tmp_path / "ids.npy").tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("data", "queries", "options", "words"),
    [
        ("absent.npy", "queries.npy", [], ["'DATA'", "does not exist"]),
        ("vectors.npy", "absent.npy", [], ["'QUERIES'", "does not exist"]),
        ("truncated.npy", "queries.npy", [], ["truncated or damaged"]),
        ("vectors.npy", "text.txt", [], ["no known format"]),
        ("vectors.npy", "wrong_width.npy", [], ["(300, 9)", "(300, 24)"]),
        ("nan.npy", "queries.npy", [], ["NaN"]),
        ("vectors.npy", "queries.npy", ["-k", 0], ["'-k'", "0 is not in the range 1<=x<=2147483647"]),
        ("vectors.npy", "queries.npy", ["-k", 301], ["-k must be from 1 to the 300 rows"]),
        ("vectors.npy", "queries.npy", ["--metric", "l2"], ["'--metric'", "'euclidean', 'cosine', 'inner-product'"]),
        ("vectors.npy", "queries.npy", ["--distances", "d.ivecs"], ["'--distances'", ".fvecs"]),
        ("vectors.npy", "queries.npy", ["--distances", "absent/d.npy"], ["'--distances'", "absent", "create it"]),
    ],
)
def test_wrong_input_is_refused_in_one_sentence_and_nothing_is_written(
    refused, files, tmp_path, data, queries, options, words
):
    sentence = refused("truth", files / data, files / queries, *options, "--out", tmp_path / "ids.npy")
    assert [word for word in words if word not in sentence] == []
    assert list(tmp_path.iterdir()) == []


def test_ending_of_no_format_is_refused_before_any_work(refused, files, tmp_path):
    sentence = refused("truth", files / "truncated.npy", files / "queries.npy", "--out", tmp_path / "ids.txt")
    assert "should end in .npy or .ivecs or .ibin" in sentence


def test_outputs_that_exist_are_kept_without_force(refused, files, tmp_path):
    (tmp_path / "d.npy").write_text("precious")
    options = ["--out", tmp_path / "ids.npy", "--distances", tmp_path / "d.npy"]
    assert "add --force" in refused("truth", files / "vectors.npy", files / "queries.npy", *options)
    assert (tmp_path / "d.npy").read_text() == "precious"
    assert not (tmp_path / "ids.npy").exists()
