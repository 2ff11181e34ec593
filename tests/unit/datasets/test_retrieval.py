"""Hold-out splits are disjoint, seeded and do not copy what need not be copied."""

import hashlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.datasets import RetrievalData, from_vectors, seeded_order
from hammingway.datasets.formats import read_vectors, write_vectors
from hammingway.errors import InvalidInputError, ShapeError


def ids_digest(*arrays):
    return hashlib.sha256(b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()


@pytest.mark.parametrize("n_rows", [0, 1, 2, 1000])
def test_seeded_order_is_a_permutation(n_rows):
    assert_array_equal(np.sort(seeded_order(n_rows, 3)), np.arange(n_rows))


def test_seeded_order_never_changes():
    assert ids_digest(seeded_order(10_000, 0)) == "0d56e5a45cb289c9466a75ec2882e9a26a07d18a5e21bb67007d98043beef4d4"
    assert not np.array_equal(seeded_order(100, 0), seeded_order(100, 1))


@pytest.mark.parametrize("hold_out", ["random", "last"])
def test_every_row_is_a_query_or_in_the_database_once(hold_out):
    vectors = np.arange(200.0).reshape(50, 4)
    labels = np.arange(50) % 7
    data = from_vectors(vectors, labels=labels, n_queries=13, seed=5, hold_out=hold_out)
    assert_array_equal(np.sort(np.concatenate([data.query_ids, data.database_ids])), np.arange(50))
    assert_array_equal(data.queries, vectors[data.query_ids])
    assert_array_equal(data.database, vectors[data.database_ids])
    assert_array_equal(data.query_labels, labels[data.query_ids])
    assert_array_equal(data.database_labels, labels[data.database_ids])
    assert data.training is data.database
    assert "13 queries" in data.description
    assert "training" not in data.description


def test_the_same_seed_gives_the_same_queries_and_another_seed_others():
    vectors = np.arange(100.0)[:, None]
    first, again, other = (from_vectors(vectors, n_queries=20, seed=seed) for seed in (0, 0, 1))
    assert_array_equal(first.query_ids, again.query_ids)
    assert not np.array_equal(first.query_ids, other.query_ids)


def test_the_last_rows_of_a_mapped_file_are_held_out_without_a_copy(tmp_path):
    write_vectors(tmp_path / "a.npy", np.arange(40.0).reshape(10, 4))
    vectors = read_vectors(tmp_path / "a.npy")
    data = from_vectors(vectors, n_queries=3, hold_out="last")
    assert np.shares_memory(data.database, vectors)
    assert not np.shares_memory(data.queries, vectors)
    assert_array_equal(data.query_ids, [7, 8, 9])


@pytest.mark.parametrize("name", ["npy", "fvecs"])
def test_a_large_mapped_file_is_gathered_into_a_scratch_map_of_equal_rows(tmp_path, monkeypatch, name):
    array = np.random.default_rng(0).standard_normal((500, 6)).astype(np.float32)
    write_vectors(tmp_path / f"a.{name}", array)
    vectors = read_vectors(tmp_path / f"a.{name}")
    in_memory = from_vectors(vectors, n_queries=50, seed=2)
    assert not isinstance(in_memory.database, np.memmap)
    monkeypatch.setattr("hammingway.datasets.retrieval._COPY_IN_MEMORY_BYTES", 0)
    monkeypatch.setattr("hammingway.datasets.formats.base.CHUNK_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mapped = from_vectors(vectors, n_queries=50, seed=2)
    assert isinstance(mapped.database, np.memmap)
    assert_array_equal(mapped.database, in_memory.database)
    assert_array_equal(mapped.queries, in_memory.queries)
    assert [entry.name for entry in tmp_path.iterdir()] == [f"a.{name}"]


@pytest.mark.parametrize("n_queries", [0, -1, 5, 6])
def test_queries_must_leave_a_database(n_queries):
    with pytest.raises(InvalidInputError, match="from 1 to 4"):
        from_vectors(np.eye(5), n_queries=n_queries)


def test_wrong_hold_outs_are_clear_errors():
    with pytest.raises(InvalidInputError, match="'random' or 'last'"):
        from_vectors(np.eye(5), n_queries=1, hold_out="first")
    with pytest.raises(InvalidInputError, match="seed"):
        from_vectors(np.eye(5), n_queries=1, seed=-1)
    with pytest.raises(ShapeError, match=r"\(n, d\)"):
        from_vectors(np.zeros(5), n_queries=1)
    with pytest.raises(ShapeError, match=r"\(5,\)"):
        from_vectors(np.eye(5), n_queries=1, labels=[1, 2])
    with pytest.raises(InvalidInputError, match="integer class numbers"):
        from_vectors(np.eye(5), n_queries=1, labels=np.linspace(0, 1, 5))


def parts(**changes):
    values = {"name": "n", "protocol": "p", "queries": np.eye(3)[:1], "database": np.eye(3), "training": np.eye(3)}
    ids = {"query_ids": np.array([3]), "database_ids": np.arange(3), "training_ids": np.arange(3)}
    return values | ids | changes


def test_a_query_in_the_database_is_refused():
    assert RetrievalData(**parts()).n_training_in_database == 3
    with pytest.raises(InvalidInputError, match="1 queries are also in the database"):
        RetrievalData(**parts(query_ids=np.array([2])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"database": np.eye(4)[:3]}, "database must have shape"),
        ({"training": np.zeros((0, 3))}, "training must have shape"),
        ({"queries": np.zeros(3)}, "queries must have shape"),
        ({"query_ids": None}, "none of them"),
        ({"query_ids": np.array([3, 4])}, r"must have shape \(1,\)"),
        ({"database_ids": np.array([0, 0, 1])}, "twice"),
        ({"query_labels": np.array([1])}, "none of them"),
        (
            {
                "query_labels": np.zeros(1, int),
                "database_labels": np.zeros(2, int),
                "training_labels": np.zeros(3, int),
            },
            "labels of 3 rows",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises((ShapeError, InvalidInputError), match=message):
        RetrievalData(**parts(**changes))


def test_data_cannot_be_changed():
    with pytest.raises(AttributeError):
        RetrievalData(**parts()).name = "other"
