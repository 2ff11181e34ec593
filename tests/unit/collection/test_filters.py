"""Filters select what plain Python would select, and never put a value into SQL."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hammingway import Codes, Collection
from hammingway.collection.filters import compile_filter
from hammingway.errors import InvalidInputError

NAMES = ["a", "b", "it's", "é", "\U0001f600", "\n", "\x7f", "a[0]"]
FIELDS = [*NAMES, "a.b", "b.é"]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.1, -2.5, 2.0, 1e300, 1 / 3, np.float64(2.5)]),
    st.sampled_from(["", "x", "y'; DROP TABLE metadata; --", "é", "\U0001f600", '"', "2", "%"]),
)
values = st.one_of(
    scalars, st.dictionaries(st.sampled_from(["a", "b", "é"]), scalars, max_size=2), st.lists(scalars, max_size=2)
)
documents = st.dictionaries(st.sampled_from(NAMES), values, max_size=3)
ordered = scalars.filter(lambda value: value is not None and not isinstance(value, bool))
operations = st.one_of(
    scalars,
    st.builds(lambda name, value: {name: value}, st.sampled_from(["$eq", "$ne"]), scalars),
    st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), ordered, min_size=1),
    st.builds(lambda listed: {"$in": listed}, st.lists(scalars, max_size=4)),
    st.builds(lambda there: {"$exists": there}, st.booleans()),
    st.builds(lambda value: {"$not": {"$gt": value}}, ordered),
)
filters = st.recursive(
    st.dictionaries(st.sampled_from(FIELDS), operations, max_size=2),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"$and": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"$or": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"$not": part}, inner),
    ),
    max_leaves=5,
)
MISSING = object()


def kind(value):
    if isinstance(value, bool) or value is None:
        return str(value)
    return "number" if isinstance(value, int | float) else type(value).__name__


def holds(document, where):
    """The oracle: the meaning of a filter, in Python."""
    for name, value in where.items():
        if name == "$and":
            ok = all(holds(document, part) for part in value)
        elif name == "$or":
            ok = any(holds(document, part) for part in value)
        elif name == "$not":
            ok = not holds(document, value)
        else:
            found = document
            for part in name.split("."):
                found = found.get(part, MISSING) if isinstance(found, dict) else MISSING
            ok = field_holds(found, value)
        if not ok:
            return False
    return True


def field_holds(found, value):
    if not isinstance(value, dict):
        return found is not MISSING and kind(found) == kind(value) and found == value
    return all(operation_holds(found, name, operand) for name, operand in value.items())


def operation_holds(found, name, operand):
    if name == "$exists":
        return (found is not MISSING) == operand
    if name == "$in":
        return any(field_holds(found, each) for each in operand)
    if name in ("$ne", "$not"):
        return not field_holds(found, operand)
    if name == "$eq":
        return field_holds(found, operand)
    if found is MISSING or kind(found) != kind(operand):
        return False
    return {"$gt": found > operand, "$gte": found >= operand, "$lt": found < operand, "$lte": found <= operand}[name]


@given(st.lists(documents, max_size=8), filters)
def test_condition_selects_what_python_selects(rows, where):
    condition = compile_filter(where)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (i INTEGER, body TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(i, json.dumps(row)) for i, row in enumerate(rows)])
    found = connection.execute(f"SELECT i FROM t WHERE {condition.sql} ORDER BY i", condition.parameters).fetchall()  # noqa: S608
    connection.close()
    assert [i for (i,) in found] == [i for i, row in enumerate(rows) if holds(row, where)]


@pytest.mark.parametrize("name", [*NAMES, "\t", "日本", "/", "<&>", "\x1b", "\u2028"])
def test_fields_of_any_name_and_numbers_of_numpy_are_found(tmp_path, name):
    with Collection.create(tmp_path / "c", n_bits=8) as collection:
        codes = Codes.from_bits(np.zeros((3, 8), int))
        collection.add(codes, metadata=[{"other": 2.5}, {name: 2.5}, {"in": {name: 2.5}}])
        for where, found in [({name: np.float64(2.5)}, 1), ({f"in.{name}": {"$gte": np.float64(2.5)}}, 2)]:
            assert collection.search(codes[:1], 3, where=where).ids.tolist() == [[found, -1, -1]]


@given(filters)
def test_no_name_or_value_of_a_filter_is_in_its_sql(where):
    sql = compile_filter(where).sql
    assert "DROP" not in sql and "\\" not in sql and "it's" not in sql and "é" not in sql and '"' not in sql


@pytest.mark.filterwarnings("ignore::hammingway.collection.UnknownFieldWarning")
@settings(max_examples=25)
@given(st.lists(st.one_of(st.none(), documents), min_size=1, max_size=30), filters)
def test_filtered_search_is_search_among_the_items_that_match(tmp_path_factory, rows, where):
    codes = Codes.from_bits(np.random.default_rng(0).integers(0, 2, (len(rows), 9)))
    with Collection.create(tmp_path_factory.mktemp("f") / "c", n_bits=9) as collection:
        collection.add(codes, metadata=rows)
        collection.compact()
        collection.upsert(codes[: len(rows) // 2], ids=np.arange(len(rows) // 2), metadata=rows[: len(rows) // 2])
        matching = [i for i, row in enumerate(rows) if holds(row or {}, where)]
        distances = (codes.unpack()[matching] != codes.unpack()[0]).sum(axis=1)
        order = np.lexsort((matching, distances))
        found = collection.search_radius(codes[:1], 9, where=where)
        assert found.ids.tolist() == np.array(matching, int)[order].tolist()
        assert found.distances.tolist() == distances[order].tolist()
        assert collection.search(codes[:1], 3, where=where).ids[0].tolist() == (found.ids.tolist() + [-1] * 3)[:3]


def nested(depth):
    return {"$not": nested(depth - 1)} if depth else {}


WRONG = [
    ("section", "must be a dict"),
    ({"$nor": []}, "not a field"),
    ({3: 4}, "not a field"),
    ({"$and": {"a": 1}}, "takes a list"),
    ({"a": {}}, "needs a value or an operator"),
    ({"a": {"$gtt": 1}}, "Did you mean '\\$gt'\\?"),
    ({"a": {"gte": 1}}, "Did you mean '\\$gte'\\?"),
    ({"a": {"$regex": "x"}}, "filter. Known: \\$eq, \\$exists, \\$gt, \\$gte, \\$in, \\$lt, \\$lte, \\$ne, \\$not.$"),
    ({"a": {"$like": "x"}}, "filter. Known: "),
    ({"a": {"$nin": [1]}}, 'write {"\\$not": {"\\$in": \\[...\\]}}'),
    ({"a": {"$gt": None}}, "number or a text"),
    ({"a": {"$gt": True}}, "number or a text"),
    ({"a": {"$in": "xy"}}, "takes a list"),
    ({"a": {"$exists": 1}}, "true or false"),
    ({"a": [1]}, "a text, a number, a bool or None"),
    ({"a": float("nan")}, "finite"),
    ({"a": 2**63}, "64 bits"),
    ({"a": "\0"}, "NUL"),
    ({'a"b': 1}, "quotes"),
    ({"a..b": 1}, "empty parts"),
    (nested(50), "nest"),
    ({"$or": [{"a": i} for i in range(3000)]}, "Use \\$in"),
]


@pytest.mark.parametrize(("where", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_no_filter_is_refused(where, message):
    with pytest.raises(InvalidInputError, match=message):
        compile_filter(where)


def test_long_lists_and_wide_filters_work():
    condition = compile_filter(
        {"$and": [{"a": {"$in": list(range(50_000))}}, *[{"b": {"$ne": i}} for i in range(1000)]]}
    )
    connection = sqlite3.connect(":memory:")
    rows = [json.dumps({"a": a, "b": b}) for a, b in [(49_999, 1000), (5, 5), (50_000, -1)]]
    statement = f"SELECT {condition.sql} FROM (SELECT ? AS body)"  # noqa: S608
    found = [connection.execute(statement, (*condition.parameters, row)).fetchone()[0] for row in rows]
    connection.close()
    assert found == [1, 0, 0]
