"""FlatIndex: growth, ids, removal, threads and its file; plain search is held to the contract suite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, FileFormatError, InvalidInputError, ShapeError
from hammingway.ids import MAX_ID
from hammingway.indexes import FlatIndex, plane_store
from hammingway.indexes.id_map import IdMap
from hammingway.storage import read_arrays, write_arrays
from hammingway.testing.indexes import Oracle


def random_codes(n, n_bits, seed=0):
    return Codes.from_bits(np.random.default_rng(seed).integers(0, 2, (n, n_bits), dtype=np.uint8))


def brute_force(codes, ids, queries, k):
    distances = (queries.unpack()[:, None] != codes.unpack()[None]).sum(axis=2)
    order = np.array([np.lexsort((ids, row))[:k] for row in distances])
    return ids[order], np.take_along_axis(distances, order, axis=1)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 4096])
def test_search_agrees_with_brute_force(n_bits):
    codes, queries = random_codes(1200, n_bits), random_codes(5, n_bits, seed=1)
    found = FlatIndex(n_bits).add(codes).search(queries, 20)
    ids, distances = brute_force(codes, np.arange(1200), queries, 20)
    assert_array_equal(found.ids, ids)
    assert_array_equal(found.distances, distances)


def test_thread_count_never_changes_a_result():
    codes, queries = random_codes(20_000, 16), random_codes(40, 16, seed=1)
    one, three = (FlatIndex(16, n_threads=n).add(codes) for n in (1, 3))
    assert_array_equal(one.search(queries, 50).ids, three.search(queries, 50).ids)
    assert_array_equal(one.search_radius(queries, 4).ids, three.search_radius(queries, 4).ids)


def test_batch_gives_what_single_queries_give():
    codes, queries = random_codes(3000, 24), random_codes(33, 24, seed=1)
    index = FlatIndex(24).add(codes, ids=np.random.default_rng(2).permutation(9000)[:3000])
    batch = index.search(queries, 10)
    for row in range(33):
        assert_array_equal(index.search(queries[row : row + 1], 10).ids[0], batch.ids[row])


def test_many_threads_search_one_index():
    codes, queries = random_codes(5000, 64), random_codes(8, 64, seed=1)
    index = FlatIndex(64).add(codes, ids=np.arange(5000)[::-1])
    expected = index.search(queries, 5).ids
    with ThreadPoolExecutor(4) as pool:
        for found, again in pool.map(lambda _: (index.search(queries, 5), index.reconstruct([7, 3])), range(20)):
            assert_array_equal(found.ids, expected)
            assert_array_equal(again.packed, codes[[4992, 4996]].packed)


def test_strided_and_read_only_codes_are_accepted():
    packed = random_codes(2000, 40).packed
    strided = packed[::2]
    read_only = packed[1::2].copy()
    read_only.flags.writeable = False
    index = FlatIndex(40).add(Codes(strided, 40)).add(Codes(read_only, 40))
    assert_array_equal(index.reconstruct(np.arange(2000)).packed, np.concatenate([strided, read_only]))


def test_counted_ids_cost_no_memory():
    codes = random_codes(512 * 4, 64)
    counted = FlatIndex(64).add(codes[:512]).add(codes[512:])
    given = FlatIndex(64).add(codes, ids=np.arange(len(codes)))
    bytes_of_blocks = 4 * (64 + 1) * 512 // 8
    assert FlatIndex(64).add(codes).size_bytes == given.size_bytes == bytes_of_blocks
    assert counted._id_map.size_bytes == 0
    counted.remove([5])
    assert counted._id_map.size_bytes == 0
    assert 5 not in counted
    assert 6 in counted


def test_own_ids_cost_an_int64_until_they_must_be_found():
    index = FlatIndex(64).add(random_codes(1024, 64), ids=np.arange(1024) + 1)
    assert index._id_map.stored is not None
    bytes_of_blocks = 2 * (64 + 1) * 512 // 8
    assert index.size_bytes <= bytes_of_blocks + 1024 * (8 + 8 * 4)


def test_small_appends_reallocate_rarely():
    index, codes = FlatIndex(8), random_codes(1, 8)
    stores = set()
    for _ in range(20 * 512):
        index.add(codes)
        stores.add(len(index._store._planes))
    assert len(index) == 20 * 512
    assert len(stores) < 12


def test_removal_gives_memory_back():
    index = FlatIndex(64).add(random_codes(10_000, 64))
    before = index.size_bytes
    index.remove(np.arange(9_000))
    assert index._store.n_slots == 1_000
    assert index.size_bytes < before / 3
    assert_array_equal(index.ids, np.arange(9_000, 10_000))


def test_emptied_index_goes_on_counting():
    index = FlatIndex(8).add(random_codes(600, 8))
    index.remove(np.arange(600))
    assert len(index) == 0
    assert_array_equal(index.add(random_codes(2, 8)).ids, [600, 601])


def test_removing_an_id_twice_in_one_call_counts_once():
    index = FlatIndex(8).add(random_codes(3, 8))
    assert index.remove([1, 1]) == 1
    with pytest.raises(InvalidInputError, match="id 1 not in the index"):
        index.remove([1])


def test_unknown_ids_are_named_and_nothing_is_removed():
    index = FlatIndex(8).add(random_codes(3, 8))
    with pytest.raises(InvalidInputError, match=r"ids 70, 71, 72, 73, 74 and 5 more not in the index"):
        index.remove([0, *range(70, 80)])
    assert len(index) == 3


def test_existing_ids_are_named_and_nothing_is_added():
    index = FlatIndex(8).add(random_codes(3, 8), ids=[5, 6, 7])
    before = index.search(random_codes(1, 8), 10)
    with pytest.raises(InvalidInputError, match=r"ids 6, 7 already in the index"):
        index.add(random_codes(3, 8), ids=[9, 6, 7])
    assert_array_equal(index.search(random_codes(1, 8), 10).ids, before.ids)
    assert_array_equal(index.add(random_codes(1, 8)).ids, [5, 6, 7, 8])


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([1, 1], InvalidInputError, "id 1 given more than once"),
        ([-4, 1], InvalidInputError, "got -4"),
        ([0.0, 1.0], InvalidInputError, "must be integers; got float64"),
        ([True, False], InvalidInputError, "must be integers; got bool"),
        (np.array([1, 2**63], np.uint64), InvalidInputError, f"got {2**63}"),
        ([1], ShapeError, "2 codes need 2 ids; got 1"),
        ([[1, 2]], ShapeError, r"shape \(n,\)"),
    ],
)
def test_unusable_ids_are_refused(ids, error, message):
    index = FlatIndex(8)
    with pytest.raises(error, match=message):
        index.add(random_codes(2, 8), ids=ids)
    assert len(index) == 0


def test_the_last_id_of_all_is_counted_to():
    index = FlatIndex(8).add(random_codes(1, 8), ids=[MAX_ID - 2]).add(random_codes(2, 8))
    assert_array_equal(index.ids, [MAX_ID - 2, MAX_ID - 1, MAX_ID])


def test_the_largest_id_is_usable_and_leaves_none_to_count():
    index = FlatIndex(8).add(random_codes(1, 8), ids=[MAX_ID])
    assert MAX_ID in index
    with pytest.raises(InvalidInputError, match="no 1 ids are left"):
        index.add(random_codes(1, 8))
    assert_array_equal(index.search(random_codes(1, 8), 1).ids, [[MAX_ID]])


@pytest.mark.parametrize("value", [-1, 2.0, "3", None, True])
def test_unusable_k_radius_and_threads_are_refused(value):
    index, queries = FlatIndex(8).add(random_codes(3, 8)), random_codes(1, 8)
    with pytest.raises(InvalidInputError, match="k must be a whole number from 1"):
        index.search(queries, value)
    with pytest.raises(InvalidInputError, match="radius must be a whole number from 0"):
        index.search_radius(queries, value)
    if value is not None:
        with pytest.raises(InvalidInputError, match="n_threads must be a whole number from 1"):
            FlatIndex(8, n_threads=value)


@pytest.mark.parametrize("k", [2**40 + 1, 2**62, 10**30])
def test_more_results_than_any_memory_holds_are_refused(k):
    with pytest.raises(InvalidInputError, match=rf"at most 2\^40.*got {k}"):
        FlatIndex(8).add(random_codes(3, 8)).search(random_codes(1, 8), k)


def test_numpy_integers_serve_as_k_and_radius():
    index, queries = FlatIndex(8).add(random_codes(3, 8)), random_codes(1, 8)
    assert index.search(queries, np.int32(2)).ids.shape == (1, 2)
    assert len(index.search_radius(queries, np.uint8(8)).ids) == 3


def test_width_error_says_what_to_do():
    with pytest.raises(CodeWidthError, match=r"queries have 9 bits; this index holds 8-bit codes\. Encode them"):
        FlatIndex(8).search(random_codes(1, 9), 1)


def test_arrays_are_no_codes():
    with pytest.raises(InvalidInputError, match=r"codes must be hammingway.Codes; got ndarray"):
        FlatIndex(8).add(np.zeros((2, 1), np.uint8))


def test_contains_knows_only_whole_numbers_in_use():
    index = FlatIndex(8).add(random_codes(3, 8), ids=[4, 0, 1])
    assert [candidate in index for candidate in (4, np.int64(0), 2, -1, 2**70, "4", 4.0, True)] == [
        True,
        True,
        *[False] * 6,
    ]


def test_reconstruct_keeps_order_and_repeats():
    codes = random_codes(700, 65)
    index = FlatIndex(65).add(codes, ids=np.arange(700) * 3)
    again = index.reconstruct([2097, 0, 3, 3])
    assert again.n_bits == 65
    assert_array_equal(again.packed, codes[[699, 0, 1, 1]].packed)
    with pytest.raises(InvalidInputError, match="id 1 not in the index"):
        index.reconstruct([0, 1])


class Changes(RuleBasedStateMachine):
    """Any order of adding, removing and saving leaves the index equal to a dict."""

    ids = Bundle("ids")

    def __init__(self):
        super().__init__()
        self.index, self.oracle, self.seed = FlatIndex(5), Oracle(5), 0

    def fresh(self, n):
        self.seed += 1
        return random_codes(n, 5, self.seed)

    @rule(n=st.sampled_from([0, 1, 3, 511, 512, 600]))
    def add_counted(self, n):
        codes = self.fresh(n)
        self.index.add(codes)
        self.oracle.add(codes, range(self.oracle.next_id, self.oracle.next_id + n))

    @rule(ids=st.lists(st.integers(0, 2000), unique=True, max_size=9))
    def add_named(self, ids):
        codes = self.fresh(len(ids))
        if self.oracle.table.keys() & set(ids):
            with pytest.raises(InvalidInputError):
                self.index.add(codes, ids=ids)
        else:
            self.index.add(codes, ids=ids)
            self.oracle.add(codes, ids)

    @rule(share=st.floats(0, 1), seed=st.integers(0, 99))
    def remove_some(self, share, seed):
        known = np.array(sorted(self.oracle.table), np.int64)
        gone = np.random.default_rng(seed).permutation(known)[: round(share * len(known))]
        assert self.index.remove(gone) == len(gone)
        self.oracle.remove(gone)

    @invariant()
    def agrees(self):
        assert_array_equal(self.index.ids, sorted(self.oracle.table))
        self.oracle.agree(self.index, random_codes(1, 5, seed=77), ks=(4,), why="after changes")


Changes.TestCase.settings = settings(max_examples=12, stateful_step_count=12, deadline=None, derandomize=True)
test_any_order_of_changes_leaves_what_a_dict_holds = Changes.TestCase


def saved(tmp_path, index):
    path = tmp_path / "index"
    index.save(path)
    return path


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513])
@pytest.mark.parametrize("own_ids", [False, True])
def test_loaded_index_equals_the_saved_one(tmp_path, n, own_ids):
    codes, queries = random_codes(n, 9), random_codes(3, 9, seed=1)
    index = FlatIndex(9).add(codes, ids=np.arange(n)[::-1] * 2 if own_ids else None)
    loaded = FlatIndex.load(saved(tmp_path, index), n_threads=2)
    assert (len(loaded), loaded.n_bits, loaded.n_threads) == (n, 9, 2)
    assert_array_equal(loaded.ids, index.ids)
    assert_array_equal(loaded.search(queries, n + 1).ids, index.search(queries, n + 1).ids)
    more = random_codes(2, 9, seed=3)
    assert_array_equal(loaded.add(more).ids, index.add(more).ids)


def test_removed_codes_are_not_in_the_file(tmp_path):
    index = FlatIndex(64).add(random_codes(100, 64))
    before = index.search(random_codes(1, 64, seed=1), 100)
    index.remove([3])
    arrays, header = read_arrays(saved(tmp_path, index), kind="flat-index")
    assert header["n_codes"] == 99
    assert 3 not in arrays["ids"]
    assert len(index) == 99
    assert_array_equal(index.search(random_codes(1, 64, seed=1), 99).ids[0], before.ids[0][before.ids[0] != 3])


def test_same_content_gives_the_same_file(tmp_path):
    codes = random_codes(700, 33)
    one = FlatIndex(33).add(codes)
    many = FlatIndex(33)
    for start in range(0, 700, 7):
        many.add(codes[start : start + 7])
    assert saved(tmp_path, one).read_bytes() == saved(tmp_path, many).read_bytes()


def sound_parts():
    planes = np.zeros((2, 9, 8), np.uint64)
    return {"planes": planes, "ids": np.arange(513)}, {"n_bits": 9, "n_codes": 513, "next_id": 600, "lanes": 512}


def test_sound_parts_are_read(tmp_path):
    arrays, header = sound_parts()
    write_arrays(tmp_path / "index", arrays, kind="flat-index", header=header)
    assert len(FlatIndex.load(tmp_path / "index")) == 513


@pytest.mark.parametrize(
    ("changed_arrays", "changed_header"),
    [
        ({}, {"n_bits": 10}),
        ({}, {"n_bits": 0}),
        ({}, {"n_bits": "9"}),
        ({}, {"n_bits": True}),
        ({}, {"n_bits": None}),
        ({}, {"n_codes": 1025}),
        ({}, {"n_codes": 512}),
        ({}, {"n_codes": 514}),
        ({}, {"n_codes": -1}),
        ({}, {"n_codes": 2**62}),
        ({}, {"next_id": 512}),
        ({}, {"next_id": 2**63 + 1}),
        ({}, {"lanes": 256}),
        ({"planes": None}, {}),
        ({"planes": np.zeros((2, 9, 8), np.int64)}, {}),
        ({"planes": np.zeros((2, 72), np.uint64)}, {}),
        ({"ids": np.arange(512)}, {}),
        ({"ids": np.arange(513, dtype=np.int32)}, {}),
        ({"ids": np.arange(513) - 1}, {}),
        ({"ids": np.arange(513) + 88}, {}),
        ({"ids": np.r_[np.arange(512), 0]}, {}),
        ({"ids": None}, {}),
    ],
)
def test_contradicting_parts_are_refused(tmp_path, changed_arrays, changed_header):
    arrays, header = sound_parts()
    arrays = {name: array for name, array in (arrays | changed_arrays).items() if array is not None}
    write_arrays(tmp_path / "index", arrays, kind="flat-index", header=header | changed_header)
    with pytest.raises(FileFormatError, match="not a sound index file"):
        FlatIndex.load(tmp_path / "index")


def test_file_of_another_kind_is_refused(tmp_path):
    write_arrays(tmp_path / "codes", {}, kind="codes", header={})
    with pytest.raises(FileFormatError, match="holds a codes; a flat-index was expected"):
        FlatIndex.load(tmp_path / "codes")
    with pytest.raises(FileNotFoundError):
        FlatIndex.load(tmp_path / "nothing")


def interrupted(function, error):
    """Return ``function`` as Ctrl-C leaves it: the error is raised once compiled code has done all its work."""

    def run(*args, **kwargs):
        function(*args, **kwargs)
        raise error

    return run


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("step", ["write_rows", "append"])
@pytest.mark.parametrize("ids", [None, np.arange(100)[::-1] * 7])
@pytest.mark.parametrize("n_new", [5, 3000])
def test_an_interrupted_add_leaves_the_index_as_it_was(error, step, ids, n_new, monkeypatch, tmp_path):
    codes, new, queries = random_codes(100, 24), random_codes(n_new, 24, seed=1), random_codes(4, 24, seed=2)
    index = FlatIndex(24).add(codes, ids=ids)
    index.remove([7, 14])
    expected = index.search(queries, 200)
    with monkeypatch.context() as patch, pytest.raises(error):
        owner = plane_store if step == "write_rows" else IdMap
        patch.setattr(owner, step, interrupted(getattr(owner, step), error))
        index.add(new, ids=np.arange(1000, 1000 + n_new))
    assert (len(index), 1000 in index) == (98, False)
    assert_array_equal(index.search(queries, 200).ids, expected.ids)
    untouched = FlatIndex(24).add(codes, ids=ids)
    untouched.remove([7, 14])
    index.add(new[:3]).save(tmp_path / "index")
    untouched.add(new[:3])
    for found in (index, FlatIndex.load(tmp_path / "index")):
        assert_array_equal(found.search(queries, 200).ids, untouched.search(queries, 200).ids)
        assert_array_equal(found.ids, untouched.ids)


def test_an_interrupted_remove_has_removed_all_and_frees_the_ids(monkeypatch):
    codes = random_codes(600, 16)
    index = FlatIndex(16).add(codes, ids=np.arange(600)[::-1])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(plane_store.PlaneStore, "kill", interrupted(plane_store.PlaneStore.kill, KeyboardInterrupt))
        index.remove([5, 6])
    assert (len(index), 5 in index) == (598, False)
    index.add(codes[:2], ids=[5, 6])
    assert_array_equal(index.ids, np.arange(600))
