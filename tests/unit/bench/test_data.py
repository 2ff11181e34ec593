import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.bench.data import data_facts, hold_out, open_data
from hammingway.bench.spec import DataSpec
from hammingway.errors import ConfigError, InvalidInputError


@pytest.fixture
def folder(tmp_path):
    vectors = np.arange(60, dtype=np.float32).reshape(20, 3)
    np.save(tmp_path / "vectors.npy", vectors)
    np.save(tmp_path / "labels.npy", np.arange(20) % 4)
    return tmp_path


def rows_of(vectors):
    return (vectors[:, 0] / 3).astype(int)


def test_a_file_is_split_without_overlap_and_with_its_labels(folder):
    data = open_data(DataSpec(dataset="vectors.npy", n_queries=5, labels="labels.npy"), data_dir=folder)
    queries, database = rows_of(data.queries), rows_of(data.database)
    assert_array_equal(np.sort(np.concatenate([queries, database])), np.arange(20))
    assert_array_equal(data.query_labels, queries % 4)
    assert_array_equal(data.database_labels, database % 4)
    assert data.training is data.database


def test_a_database_size_asks_for_numpys_permutation(folder):
    vectors = np.load(folder / "vectors.npy")
    data = hold_out(vectors, DataSpec(dataset="x", n_queries=4, n_database=12, split_seed=9), labels=np.arange(20))
    order = np.random.default_rng(9).permutation(20)
    assert_array_equal(data.queries, vectors[order[:4]])
    assert_array_equal(data.database, vectors[order[8:]])
    assert_array_equal(data.query_labels, order[:4])
    assert_array_equal(data.database_labels, order[8:])


def test_too_few_rows_are_refused(folder):
    with pytest.raises(InvalidInputError, match="20 rows, too few for 9 queries and a database of 12"):
        hold_out(np.load(folder / "vectors.npy"), DataSpec(dataset="x", n_queries=9, n_database=12))


def test_the_data_folder_comes_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("HAMMINGWAY_DATA", str(folder))
    assert len(open_data(DataSpec(dataset="vectors.npy", n_queries=2)).queries) == 2


def test_a_missing_file_lists_the_known_data_sets(folder):
    with pytest.raises(FileNotFoundError, match=r"absent\.npy: no such file.*digits"):
        open_data(DataSpec(dataset="absent.npy"), data_dir=folder)


@pytest.mark.parametrize("changes", [{"labels": "labels.npy"}, {"n_database": 5}, {"key": "train"}])
def test_settings_for_files_are_refused_for_named_data(changes):
    with pytest.raises(ConfigError, match="is for files"):
        open_data(DataSpec(dataset="digits", **changes))


def test_a_protocol_is_refused_for_a_file(folder):
    with pytest.raises(ConfigError, match="is a file"):
        open_data(DataSpec(dataset="vectors.npy", protocol="digits"), data_dir=folder)


def test_fitting_on_the_database_replaces_the_training_rows():
    data = open_data(DataSpec(dataset="digits", fit_on="database"))
    assert data.training is data.database
    assert "whole database" in data.training_description


def test_the_digest_tells_other_content_and_order_apart(folder):
    vectors = np.load(folder / "vectors.npy")
    spec = DataSpec(dataset="x", n_queries=4)
    digests = {
        data_facts(hold_out(vectors, spec)).digest,
        data_facts(hold_out(vectors.astype(np.float64), spec)).digest,
        data_facts(hold_out(vectors + 1, spec)).digest,
        data_facts(hold_out(vectors[::-1], spec)).digest,
        data_facts(hold_out(vectors, spec, labels=np.zeros(20, np.int64))).digest,
        data_facts(hold_out(vectors, spec, labels=np.ones(20, np.int64))).digest,
    }
    assert len(digests) == 6
    assert data_facts(hold_out(vectors, spec)).digest == data_facts(hold_out(vectors.copy(), spec)).digest


def test_facts_state_the_bytes_of_an_original_vector(folder):
    facts = data_facts(hold_out(np.load(folder / "vectors.npy"), DataSpec(dataset="x", n_queries=4)))
    assert (facts.n_queries, facts.n_database, facts.d, facts.vector_bytes) == (4, 16, 3, 12)
    assert not facts.labelled


def test_a_folder_of_class_folders_is_split_like_a_file_of_its_vectors(folder):
    vectors, labels = np.load(folder / "vectors.npy"), np.arange(20) // 5
    for row, label in enumerate(labels):
        (folder / "root" / str(label)).mkdir(parents=True, exist_ok=True)
        np.save(folder / "root" / str(label) / f"{row}.npy", vectors[row])
    found = open_data(DataSpec(dataset="root", n_queries=5, labels="root"), data_dir=folder)
    expected = hold_out(vectors, DataSpec(dataset="root", n_queries=5), labels=labels)
    assert_array_equal(found.queries, expected.queries)
    assert_array_equal(found.database, expected.database)
    assert_array_equal(found.database_labels, expected.database_labels)
