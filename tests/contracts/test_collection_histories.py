"""Any history of changes, reopening and compaction leaves a collection what a dict would be."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hammingway import Codes, Collection
from hammingway.collection import session
from hammingway.collection.database import Folder
from hammingway.collection.limits import Limits
from hammingway.errors import InvalidInputError

SMALL = Limits(recent_slots=30, segment_slots=700, segments_a_tier=2)


class History(RuleBasedStateMachine):
    """One collection, and a dict from id to (order among equal distances, bits, metadata)."""

    id_type = ""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.items, self.n_drawn, self.next_key = {}, 0, 0

    def teardown(self):
        self.collection.close()
        shutil.rmtree(self.folder)

    @initialize(n_bits=st.sampled_from([1, 7, 9, 63, 65]), near=st.booleans())
    def start(self, n_bits, near):
        self.n_bits, self.near = n_bits, near
        Collection.create(self.folder / "c", n_bits=n_bits, id_type=self.id_type).close()
        self.open()

    def open(self):
        self.collection = Collection(session.Session(Folder(self.folder / "c"), read_only=False, limits=SMALL))

    def draw(self, n):
        """Random codes, or nearly equal ones: duplicates and ties."""
        self.n_drawn += 1
        rng = np.random.default_rng(self.n_drawn)
        bits = rng.integers(0, 2, (n, self.n_bits))
        return Codes.from_bits(bits & (rng.random(bits.shape) < 0.05) if self.near else bits)

    def keep(self, ids, codes, metadata):
        for one, bits, fields in zip(ids, codes.unpack(), metadata, strict=True):
            key = one if self.id_type == "integer" else self.items.get(one, (self.next_key,))[0]
            if one not in self.items or self.id_type == "integer":
                self.next_key = max(self.next_key, key + 1)
            self.items[one] = (key, bits, fields)

    @rule(n=st.sampled_from([0, 1, 8, 40]), described=st.booleans())
    def add_new(self, n, described):
        codes = self.draw(n)
        ids = list(range(self.next_key, self.next_key + n))
        metadata = [{"v": i % 3} if described else None for i in range(n)]
        if self.id_type == "integer":
            self.collection.add(codes, metadata=metadata)
        else:
            ids = [f"n{self.n_drawn}-{i}" for i in range(n)]
            self.collection.add(codes, ids=ids, metadata=metadata)
        self.keep(ids, codes, metadata)

    def some(self, share, seed):
        order = np.random.default_rng(seed).permutation(len(self.items))
        return [list(self.items)[i] for i in order[: round(share * len(order))]]

    @rule(share=st.floats(0, 1), seed=st.integers(0, 99), n_new=st.integers(0, 3))
    def put_again(self, share, seed, n_new):
        new = [10_000 + 10 * self.n_drawn + i for i in range(n_new)]
        ids = self.some(share, seed) + (new if self.id_type == "integer" else [f"p{i}" for i in new])
        codes, metadata = self.draw(len(ids)), [{"v": i % 2} if i % 3 else None for i in range(len(ids))]
        known = [one for one in ids if one in self.items]
        if known:
            with pytest.raises(InvalidInputError):
                self.collection.add(codes, ids=ids)
        self.collection.upsert(codes, ids=ids, metadata=metadata)
        self.keep(ids, codes, metadata)

    @rule(share=st.floats(0, 1), seed=st.integers(0, 99))
    def delete_some(self, share, seed):
        gone = self.some(share, seed)
        assert self.collection.delete(gone) == len(gone)
        for one in gone:
            del self.items[one]

    @rule()
    def compact(self):
        self.collection.compact()

    @rule()
    def reopen(self):
        self.collection.close()
        self.open()

    @rule()
    def read_beside(self):
        with Collection.open(self.folder / "c", read_only=True) as reader:
            self.agree(reader)

    def ranking(self, query, passes):
        far = [
            (int(np.count_nonzero(bits != query)), key, one)
            for one, (key, bits, fields) in self.items.items()
            if passes(fields or {})
        ]
        return [(one, distance) for distance, _, one in sorted(far)]

    @invariant()
    def agrees(self):
        self.agree(self.collection)

    def agree(self, collection):
        assert len(collection) == len(self.items)
        queries = self.draw(2)
        questions = {None: lambda _: True, 1: lambda fields: fields.get("v") == 1}
        for wanted, passes in questions.items():
            where = None if wanted is None else {"v": wanted}
            near = collection.search(queries, 5, where=where)
            within = list(collection.search_radius(queries, 2, where=where))
            for row, query in enumerate(queries.unpack()):
                truth = self.ranking(query, passes)
                found = list(zip(near.ids[row], near.distances[row], strict=True))
                assert found[: len(truth)] == truth[:5]
                assert all(distance == self.n_bits + 1 for _, distance in found[len(truth) :])
                assert list(zip(*within[row], strict=True)) == [pair for pair in truth if pair[1] <= 2]
        kept = collection.get(list(self.items))
        assert [dict(fields or {}) for fields in kept.metadata] == [fields or {} for *_, fields in self.items.values()]


LONGER = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "slow" else 1


@pytest.mark.filterwarnings("ignore::hammingway.collection.UnknownFieldWarning")
@pytest.mark.timeout(3600 if LONGER > 1 else 120)
@pytest.mark.parametrize("id_type", ["integer", "string"])
def test_any_history_leaves_what_a_dict_holds(id_type):
    machine = type(id_type, (History,), {"id_type": id_type}).TestCase
    machine.settings = settings(max_examples=8 * LONGER, stateful_step_count=10)
    machine("runTest").runTest()
