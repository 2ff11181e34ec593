"""The named splits have the published sizes, are balanced and disjoint, and never change."""

import hashlib

import numpy as np
import pytest

from hammingway import registry
from hammingway.datasets import Balanced, Pool, load, protocols
from hammingway.errors import FileFormatError

GOLDEN = {
    ("mnist", "mnist-1"): "888c340b1d47365b7e5d8d0c468d7b0a349c0b96753d061aff56d51696013517",
    ("mnist", "mnist-2"): "a86c7182b43b1715bc7e012015e8d60e2635cc6be02ee4c1a103ae17e42ee21a",
    ("fashion-mnist", "fashion-mnist-1"): "888c340b1d47365b7e5d8d0c468d7b0a349c0b96753d061aff56d51696013517",
    ("fashion-mnist", "fashion-mnist-2"): "a86c7182b43b1715bc7e012015e8d60e2635cc6be02ee4c1a103ae17e42ee21a",
    ("cifar10", "cifar10"): "39fea31447d2fb86c2e42e786a98816f5694f356550ec037d43aae74d91b8d19",
    ("cifar10", "cifar10-1"): "aff64b8f55bcfdb9736557eb457b457a318a648de16af23a25f0ec5a3f162066",
    ("cifar10", "cifar10-2"): "9347315452eef4db20f4fe3c5d21d05c10ea59ba98d6b6686856842e918c2f5d",
}
SIZES = {  # queries, training, database, training rows in the database
    "mnist-1": (1000, 5000, 69000, 5000),
    "mnist-2": (10000, 60000, 60000, 60000),
    "fashion-mnist-1": (1000, 5000, 69000, 5000),
    "fashion-mnist-2": (10000, 60000, 60000, 60000),
    "cifar10": (1000, 5000, 54000, 0),
    "cifar10-1": (1000, 5000, 59000, 5000),
    "cifar10-2": (10000, 50000, 50000, 50000),
}


def split_of(name, protocol):
    """Split labels 0 to 9 in turn, in place of the images."""
    data_set = registry.load("datasets", name)
    n_rows = data_set.n_train + data_set.n_test
    pool = Pool(vectors=np.empty((n_rows, 1)), labels=np.arange(n_rows) % 10, n_train=data_set.n_train, source="test")
    return pool, data_set.protocols[protocol].split(pool)


@pytest.mark.parametrize(("name", "protocol"), GOLDEN)
def test_split_never_changes(name, protocol):
    _, split = split_of(name, protocol)
    rows = b"".join(part.astype("<i8").tobytes() for part in (split.queries, split.training, split.database))
    assert hashlib.sha256(rows).hexdigest() == GOLDEN[name, protocol]


@pytest.mark.parametrize(("name", "protocol"), GOLDEN)
def test_split_has_the_published_sizes_and_no_leak(name, protocol):
    pool, split = split_of(name, protocol)
    queries, training, database = (set(part.tolist()) for part in (split.queries, split.training, split.database))
    assert (len(queries), len(training), len(database), len(training & database)) == SIZES[protocol]
    assert not queries & database
    assert not queries & training
    assert len(set(np.bincount(pool.labels[split.queries]))) == 1
    assert len(set(np.bincount(pool.labels[split.training]))) == 1


def test_every_protocol_of_every_built_in_set_is_tried_here():
    named = {(name, protocol) for name in ("mnist", "fashion-mnist", "cifar10") for protocol in protocols(name)}
    assert named == set(GOLDEN)


def test_digits_never_change_and_hold_thirty_queries_a_class():
    data = load("digits")
    rows = b"".join(part.astype("<i8").tobytes() for part in (data.query_ids, data.training_ids, data.database_ids))
    assert hashlib.sha256(rows).hexdigest() == "e32b53bc54bde8595139f0ad97544cfb4f75bd18c0354a2e417ff9da17d45dc6"
    assert np.bincount(data.query_labels).tolist() == [30] * 10
    assert data.queries.dtype == np.float32
    assert (data.database.min(), data.database.max()) == (0, 16)
    assert "300 queries and 1497 database rows" in data.description
    assert data.training_description == "1497 training rows; 0 of them are queries, 1497 are in the database."
    assert data.n_training_in_database == 1497
    assert data.n_training_in_queries == 0


def test_a_class_with_too_few_images_is_named():
    pool = Pool(vectors=np.empty((12, 1)), labels=np.array([0] * 10 + [1] * 2), n_train=12, source="here")
    protocol = Balanced(n_queries_per_class=1, n_training_per_class=1, training_in_database=True)
    with pytest.raises(FileFormatError, match="class 1 of here has 2 images; this protocol needs at least 3"):
        protocol.split(pool)
