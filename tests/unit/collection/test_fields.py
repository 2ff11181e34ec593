"""A field that a filter names and no item has is told, whatever the filter lets pass."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from hammingway import Codes, Collection
from hammingway.collection import UnknownFieldWarning, fields

CODES = Codes.from_bits(np.eye(4, 9, dtype=int))
METADATA = [{"year": 2001, "author": {"name": "A"}}, {"year": 2002}, None, {"rare": 1}]


@pytest.fixture
def collection(tmp_path):
    with Collection.create(tmp_path / "c", n_bits=9) as collection:
        collection.add(CODES, metadata=METADATA)
        yield collection


def told(collection, where):
    """Return the sentences of both searches, which must be the same."""
    sentences = []
    for search in (
        lambda: collection.search(CODES, 2, where=where),
        lambda: collection.search_radius(CODES, 9, where=where),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            search()
        assert all(each.category is UnknownFieldWarning and each.filename == __file__ for each in caught)
        sentences.append([str(each.message) for each in caught])
    assert sentences[0] == sentences[1]
    return sentences[0]


@pytest.mark.parametrize(
    ("where", "name", "hint"),
    [
        ({"yaer": 2001}, "yaer", "Did you mean 'year'?"),
        ({"yaer": {"$gte": 2000}}, "yaer", "Did you mean 'year'?"),
        ({"year": 2001, "yaer": {"$in": [1]}}, "yaer", "Did you mean 'year'?"),
        ({"author.nam": "A"}, "author.nam", "Did you mean 'author.name' or 'author'?"),
        ({"zzz": None}, "zzz", "Known: author, author.name, rare, year."),
        ({"$or": [{"year": 1}, {"$not": {"$not": {"yaer": 1}}}]}, "yaer", "Did you mean 'year'?"),
        ({"year": 1, "yaer": {"$ne": 1}}, "yaer", "Did you mean 'year'?"),
    ],
)
def test_a_field_that_no_item_has_is_told_with_the_nearest(collection, where, name, hint):
    assert told(collection, where) == [f"no item has the field {name!r}, and none passes the filter. {hint}"]


@pytest.mark.parametrize(
    "where",
    [
        {"year": 1},
        {"rare": 2},
        {"author.name": "B"},
        {"year": {"$ne": 1}},
        {"$not": {"$or": [{"rare": 2}, {"author.name": {"$exists": True}}]}},
        {"$or": []},
        {},
    ],
)
def test_a_value_that_no_item_has_is_no_matter(collection, where):
    assert told(collection, where) == []


@pytest.mark.parametrize(
    ("where", "passed"),
    [
        ({"yaer": {"$ne": 1}}, "all pass"),
        ({"$not": {"yaer": 1}}, "all pass"),
        ({"yaer": {"$exists": False}}, "all pass"),
        ({"yaer": {"$exists": True}}, "none passes"),
        ({"$or": [{"yaer": 1}, {"rare": 1}]}, "1 of 4 passes"),
        ({"year": {"$gte": 2001}, "yaer": {"$ne": 1}}, "2 of 4 pass"),
        ({"year": {"$ne": 2001}, "yaer": {"$not": {"$in": [1]}}}, "3 of 4 pass"),
    ],
)
def test_a_field_that_no_item_has_is_told_where_items_pass(collection, where, passed):
    expected = f"no item has the field 'yaer', and {passed} the filter. Did you mean 'year'?"
    assert told(collection, where) == [expected]


def test_after_a_change_the_item_that_had_a_field_is_asked_before_all_others(collection):
    statements = []

    class Watched:
        def __init__(self, connection):
            self.connection = connection

        def execute(self, statement, *parameters):
            statements.append(statement)
            return self.connection.execute(statement, *parameters)

    check = fields.FieldCheck("c")

    def missed(name):
        del statements[:]
        with collection._session.reading() as (snapshot, connection), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check.warn(Watched(connection), snapshot.manifest, [name], n_passed=0, stacklevel=1)
        return len(caught)

    assert missed("rare") == 0 and statements == [fields._FIRST]
    assert missed("rare") == 0 and statements == []
    collection.upsert(CODES[:1], ids=[0], metadata=[{"rare": 5}])
    assert missed("rare") == 0 and statements == [fields._STILL]
    collection.delete([0, 3])
    assert missed("rare") == 1 and fields._FIRST in statements


def test_each_field_is_told(collection):
    assert [sentence.split("'")[1] for sentence in told(collection, {"b": 1, "a": {"$gt": 2, "$lt": 3}})] == ["b", "a"]


def test_an_empty_collection_tells_nothing_and_one_without_metadata_does(tmp_path):
    with Collection.create(tmp_path / "c", n_bits=9) as collection:
        assert told(collection, {"yaer": 1}) == []
        collection.add(CODES)
        assert told(collection, {"yaer": 1}) == ["no item has the field 'yaer', and none passes the filter."]


def test_a_field_is_looked_for_once_until_something_is_written(collection, monkeypatch):
    asked = []
    monkeypatch.setattr(fields, "field_path", lambda name: asked.append(name) or f'$."{name}"')
    for _ in range(3):
        assert len(told(collection, {"yaer": 1, "year": 5})) == 1
    assert asked == ["yaer", "year"]
    collection.upsert(CODES[:1], ids=[0], metadata=[{"yaer": 3}])
    assert told(collection, {"yaer": 1}) == []
    assert asked == ["yaer", "year", "yaer"]


def test_a_long_list_of_fields_is_left_out(tmp_path):
    with Collection.create(tmp_path / "c", n_bits=9) as collection:
        collection.add(CODES[:1], metadata=[{f"field {i}": i for i in range(40)}])
        assert told(collection, {"zzz": 1}) == ["no item has the field 'zzz', and none passes the filter."]
        (sentence,) = told(collection, {"fild 7": 1})
        assert "'field 7'" in sentence


def test_names_that_no_filter_can_have_are_not_offered(tmp_path):
    with Collection.create(tmp_path / "c", n_bits=9) as collection:
        collection.add(CODES[:1], metadata=[{"a.b": 1, '"': 1, "": 1, "a": {"c": [], "\\": 1}}])
        assert told(collection, {"zzz": 1})[0].endswith("Known: a, a.c.")
