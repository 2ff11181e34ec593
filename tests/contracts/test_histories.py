"""Any history of additions, removals, saving and filtered searches leaves an index what a dict would be."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from numpy.testing import assert_array_equal

from hammingway import registry
from hammingway.codes import Codes
from hammingway.errors import InvalidInputError
from hammingway.indexes import FlatIndex, IVFIndex, MultiIndex, TableIndex, multi
from hammingway.kernels.probing import Budget
from hammingway.testing.indexes import Oracle

EVERYTHING = 2**40


def whole_table(n_bits):
    """A table whose probes reach every key."""
    return TableIndex(n_bits, bits=range(min(n_bits, 6)), max_probes=EVERYTHING)


def all_cells(n_bits):
    return IVFIndex(n_bits, n_cells=3, n_probe=EVERYTHING)


MAKERS = {"flat": FlatIndex, "multi": MultiIndex, "table": whole_table, "ivf": all_cells}


def test_every_registered_index_has_its_histories():
    assert MAKERS.keys() == set(registry.names("indexes"))


class History(RuleBasedStateMachine):
    """One index of any width, and the dict that it must agree with."""

    kind = ""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        # tables from nine codes on, under a budget that stops some queries in the middle
        self.patch.setattr(multi, "_TAIL", 8)
        self.patch.setattr(multi, "budget_for", lambda *_: Budget(1, 1, 1, 300, 2000))
        self.n_drawn = 0

    def teardown(self):
        self.patch.undo()

    @initialize(n_bits=st.sampled_from([1, 2, 7, 9, 63, 65]), near=st.booleans())
    def start(self, n_bits, near):
        self.index, self.oracle = MAKERS[self.kind](n_bits), Oracle(n_bits)
        self.near = near

    def draw(self, n):
        """Random codes, or nearly equal ones: duplicates and ties."""
        self.n_drawn += 1
        rng = np.random.default_rng(self.n_drawn)
        bits = rng.integers(0, 2, (n, self.oracle.n_bits))
        return Codes.from_bits(bits & (rng.random(bits.shape) < 0.05) if self.near else bits)

    def some_ids(self, share, seed):
        known = np.array(sorted(self.oracle.table), np.int64)
        return np.random.default_rng(seed).permutation(known)[: round(share * len(known))]

    @rule(n=st.sampled_from([0, 1, 3, 60, 511, 513]))
    def add_counted(self, n):
        codes = self.draw(n)
        self.index.add(codes)
        self.oracle.add(codes, range(self.oracle.next_id, self.oracle.next_id + n))

    @rule(ids=st.lists(st.integers(0, 2000), unique=True, max_size=9))
    def add_named(self, ids):
        codes = self.draw(len(ids))
        if self.oracle.table.keys() & set(ids):
            with pytest.raises(InvalidInputError):
                self.index.add(codes, ids=ids)
        else:
            self.index.add(codes, ids=ids)
            self.oracle.add(codes, ids)

    @rule(share=st.floats(0, 1), seed=st.integers(0, 99))
    def remove_some(self, share, seed):
        gone = self.some_ids(share, seed)
        assert self.index.remove(gone) == len(gone)
        self.oracle.remove(gone)

    @rule(share=st.floats(0, 1), seed=st.integers(0, 99), k=st.sampled_from([1, 4, 700]), as_mask=st.booleans())
    def search_filtered(self, share, seed, k, as_mask):
        chosen = self.some_ids(share, seed)
        where = chosen
        if as_mask:
            where = np.zeros(self.oracle.next_id, np.bool_)
            where[chosen] = True
        rest = Oracle(self.oracle.n_bits, {int(one): self.oracle.table[int(one)] for one in chosen})
        queries = self.draw(2)
        near, within = self.index.search(queries, k, where=where), self.index.search_radius(queries, 3, where=where)
        for row, query in enumerate(queries.unpack()):
            ids, distances = rest.ranking(query)
            assert_array_equal(near.ids[row], np.resize(np.append(ids[:k], np.full(k, -1)), k))
            assert_array_equal(list(within)[row][0], ids[distances <= 3])

    @rule()
    def save_and_load(self):
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder) / "index")
            self.index = type(self.index).load(Path(folder) / "index")

    @invariant()
    def agrees(self):
        assert_array_equal(self.index.ids, sorted(self.oracle.table))
        self.oracle.agree(self.index, self.draw(1), ks=(4,), why="after changes")


class Forgetful(FlatIndex):
    """Leaves one code of several that are to be removed."""

    def remove(self, ids):
        return super().remove(ids[:-1]) + 1 if len(ids) > 1 else super().remove(ids)


LONGER = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "slow" else 1


def run_histories(name, **options):
    machine = type(name, (History,), {"kind": name}).TestCase
    machine.settings = settings(max_examples=20 * LONGER, stateful_step_count=12, **options)
    machine("runTest").runTest()


@pytest.mark.timeout(3600 if LONGER > 1 else 120)
@pytest.mark.parametrize("name", MAKERS)
def test_any_history_leaves_what_a_dict_holds(name):
    run_histories(name)


def test_an_index_that_forgets_to_remove_is_caught(monkeypatch):
    monkeypatch.setitem(MAKERS, "forgetful", Forgetful)
    with pytest.raises(AssertionError):
        run_histories("forgetful", phases=[Phase.generate])  # it need not be told in the shortest way
