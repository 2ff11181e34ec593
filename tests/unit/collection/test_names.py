"""Names in arrays are found by their text, whatever their hashes, and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hammingway import Codes, Collection
from hammingway.collection import names as names_module
from hammingway.collection import session
from hammingway.collection.limits import Limits
from hammingway.collection.names import Names

SMALL = Limits(recent_slots=20, segment_slots=600, segments_a_tier=3)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9)


@given(st.lists(TEXT, max_size=40), st.data())
def test_any_slots_give_their_names(names, data):
    column = Names.of(names)
    slots = data.draw(st.lists(st.integers(0, len(names) - 1), max_size=20)) if names else []
    chosen = np.array(slots, np.int64)
    assert column.texts(chosen) == [names[slot] for slot in slots]
    assert column.lengths(chosen).tolist() == [len(names[slot].encode()) for slot in slots]
    assert column.text_of(chosen).tobytes() == "".join(names[slot] for slot in slots).encode()


@given(st.lists(TEXT, max_size=20), st.lists(TEXT, max_size=20))
def test_names_that_follow_others_are_those_of_one_list(first, second):
    together, at_once = Names.of(first).followed_by(Names.of(second)), Names.of(first + second)
    for name in ("text", "ends", "hashes"):
        assert np.array_equal(getattr(together, name), getattr(at_once, name))


@pytest.mark.parametrize("in_order", [True, False])
def test_candidates_are_all_slots_of_a_hash(in_order):
    hashes = np.array([7, 3, 7, 9, 3, 7], np.uint64)
    order = np.argsort(hashes, kind="stable")
    index = Names(
        np.empty(0, np.uint8),
        np.zeros(6, np.uint64),
        hashes if in_order else hashes[order],
        None if in_order else order.astype(np.uint32),
    )
    asked, slots = index.candidates(np.array([9, 1, 7, 99, 3], np.uint64))
    assert list(zip(asked.tolist(), slots.tolist(), strict=True)) == [(0, 3), (2, 0), (2, 2), (2, 5), (4, 1), (4, 4)]
    assert index.hashes_by_slot().tolist() == hashes.tolist()


class _OneHash:
    """A hash function under which nearly all names collide."""

    def __init__(self, name, *, digest_size):
        self._digest = bytes([len(name) % 2]) * digest_size

    def digest(self):
        return self._digest


def test_names_that_share_a_hash_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(names_module, "blake2b", _OneHash)
    monkeypatch.setitem(session.Session.__init__.__kwdefaults__, "limits", SMALL)
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (100, 9))
    names = [f"name {i}" for i in range(100)]
    with Collection.create(tmp_path / "c", n_bits=9, id_type="string") as collection:
        for start in range(0, 100, 10):
            collection.add(Codes.from_bits(bits[start : start + 10]), ids=names[start : start + 10])
        collection.delete(names[20:40])
        collection.upsert(Codes.from_bits(1 - bits[:5]), ids=names[:5])
        bits[:5] = 1 - bits[:5]
        kept = [*names[:20], *names[40:]]
        assert [name in collection for name in names] == [name in kept for name in names]
        for _ in range(2):
            items = collection.get(kept)
            assert np.array_equal(items.codes.unpack(), np.delete(bits, np.s_[20:40], axis=0))
            assert items.ids.tolist() == kept
            collection.compact()


def test_names_of_many_bytes_a_character_survive_merging_and_reopening(tmp_path, monkeypatch):
    monkeypatch.setitem(session.Session.__init__.__kwdefaults__, "limits", SMALL)
    names = [("é" * (i % 5) + "日本" * (i % 3) + "😀")[: i % 7 + 1] + str(i) for i in range(300)]
    codes = Codes.from_bits(np.random.default_rng(0).integers(0, 2, (300, 9)))
    with Collection.create(tmp_path / "c", n_bits=9, id_type="string") as collection:
        for start in range(0, 300, 7):
            collection.add(codes[start : start + 7], ids=names[start : start + 7])
        assert collection.stats().n_segments > 1
    with Collection.open(tmp_path / "c", read_only=True) as collection:
        assert collection.get(names[::-1]).ids.tolist() == names[::-1]
        assert np.array_equal(collection.get(names).codes.packed, codes.packed)
        assert "é" not in collection and "" not in collection and "\ud800" not in collection
        assert "a\0b" not in collection and 3 not in collection
