"""The hash table from ids to slots, held against a dict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.indexes import slot_table
from hammingway.indexes.id_map import IdMap
from hammingway.indexes.slot_table import SlotTable


def expected(ids, keys):
    slots = {int(number): slot for slot, number in enumerate(ids) if number >= 0}
    return [slots.get(int(key), -1) for key in keys]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    ids=st.lists(st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 300)), unique=True, max_size=200),
    n_first=st.integers(0, 200),
    removed=st.sets(st.integers(0, 199), max_size=50),
)
def test_table_finds_what_a_dict_finds(ids, n_first, removed):
    ids = np.array(ids, np.int64)
    n_first = min(n_first, len(ids))
    table = SlotTable(ids[:n_first])
    kept = ids.copy()
    kept[[slot for slot in removed if slot < n_first]] = -1
    table.insert(kept, n_first)
    keys = np.concatenate([ids, ids[:5] ^ 1, [0, 5, 2**63 - 1]]).astype(np.int64)
    assert_array_equal(table.find(keys, kept), expected(kept, keys))


def test_removed_id_given_anew_is_found_in_its_new_slot():
    ids = np.array([7, 8], np.int64)
    table = SlotTable(ids)
    ids = np.array([-1, 8, 7], np.int64)
    table.insert(ids, 2)
    assert_array_equal(table.find(np.array([7, 8]), ids), [2, 1])


@pytest.mark.parametrize("step", [1, 2, 512, 2**20, 2**40])
def test_regular_ids_collide_rarely(step):
    ids = np.arange(20_000, dtype=np.int64) * step
    table = SlotTable(ids)
    assert_array_equal(table.find(ids[::-1], ids), np.arange(20_000)[::-1])
    taken = table._places >= 0
    home = np.zeros(len(taken), np.bool_)
    home[table._hash(ids)] = True
    # 1 - exp(-load) of the places would be hit by ideal hashing; a bad one hits far fewer.
    assert home.sum() > 0.9 * len(taken) * (1 - np.exp(-len(ids) / len(taken)))


def test_table_stays_at_most_half_full_and_grows_geometrically():
    ids = np.arange(5_000, dtype=np.int64)
    table, sizes = SlotTable(ids[:0]), set()
    for n in range(0, 5_000, 10):
        table.insert(ids[: n + 10], n)
        sizes.add(len(table._places))
        assert (table._places >= 0).sum() == n + 10
        assert 2 * (n + 10) <= len(table._places)
    assert len(sizes) < 12


def test_an_outdated_table_is_completed_by_the_next_insert():
    ids = np.arange(6, dtype=np.int64) * 5
    table = SlotTable(ids[:2])
    table.insert(ids, 4)
    assert (table.n_slots, table.find(ids, ids).tolist()) == (6, list(range(6)))


@pytest.mark.parametrize("then", ["find", "append"])
def test_a_table_that_a_reader_finishes_after_an_append_is_not_kept(then):
    id_map = IdMap(2, ids=np.array([9, 8], np.int64), next_id=10)
    outdated = SlotTable(id_map.stored)
    id_map.append(2, np.array([3, 4], np.int64))
    id_map._table = outdated  # what a thread does that began to look up before the append
    if then == "append":
        id_map.append(1, np.array([7], np.int64))
    assert id_map.find(np.array([9, 8, 3, 4, 1], np.int64)).tolist() == [0, 1, 2, 3, -1]


def test_a_table_takes_longer_entries_once_slots_need_them(monkeypatch):
    ids = np.arange(40)[::-1].copy()
    short = SlotTable(ids)
    monkeypatch.setattr(slot_table, "_MOST_SHORT", 39)
    long = SlotTable(ids)
    assert long.size_bytes == 2 * short.size_bytes
    for table in (short, long):
        assert_array_equal(table.find(np.array([0, 39, 77]), ids), [39, 0, -1])
