"""TableIndex: what it finds is what its probes reach, and its certificate says how far that goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway import registry
from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, FileFormatError, InvalidInputError, ShapeError
from hammingway.indexes import FlatIndex, TableIndex
from hammingway.storage import read_arrays, write_arrays


def codes_of(n, n_bits, *, seed=0, flipped=0.1):
    rng = np.random.default_rng([seed, n_bits])
    centres = np.random.default_rng(n_bits).integers(0, 2, (30, n_bits))
    return Codes.from_bits(centres[rng.integers(0, 30, n)] ^ (rng.random((n, n_bits)) < flipped))


def by_counting(codes, ids, query, key_bits, flips):
    """Return ids and distances of the codes whose key is at most ``flips`` bits from the query's."""
    different = codes.unpack() != query
    reached = different[:, key_bits].sum(axis=1) <= flips
    distances = different.sum(axis=1)[reached]
    order = np.lexsort((ids[reached], distances))
    return ids[reached][order], distances[order]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    n_bits=st.integers(1, 100),
    n=st.integers(1, 900),
    n_key=st.integers(1, 12),
    flips=st.integers(0, 3),
    k=st.sampled_from([1, 5, 1000]),
    seed=st.integers(0, 99),
)
def test_probes_by_radius_find_what_counting_finds(n_bits, n, n_key, flips, k, seed):
    rng = np.random.default_rng(seed)
    key_bits = rng.permutation(n_bits)[:n_key]
    codes, queries, ids = codes_of(n, n_bits, seed=seed), codes_of(4, n_bits, seed=seed + 1), rng.permutation(2 * n)[:n]
    index = TableIndex(n_bits, bits=key_bits, max_flips=flips, max_probes=10**6)
    for part in np.array_split(np.arange(n), 3):
        index.add(codes[part], ids=ids[part])
    near, ranges = index.search(queries, k), index.search_radius(queries, n_bits)
    exact = FlatIndex(n_bits).add(codes, ids=ids).search(queries, k)
    for row, query in enumerate(queries.unpack()):
        true_ids, true_distances = by_counting(codes, ids, query, key_bits, flips)
        found, distances = list(ranges)[row]
        assert_array_equal(found, true_ids)
        assert_array_equal(distances, true_distances)
        reached = list(zip(near.ids[row], near.distances[row], strict=True))
        filled = [pair for pair in reached if pair[0] >= 0]
        if near.certificate.exact[row]:
            assert_array_equal(near.ids[row], exact.ids[row])
        else:
            assert_array_equal([pair[0] for pair in filled], true_ids[:k])
        assert reached[len(filled) :] == [(-1, n_bits + 1)] * (k - len(filled))


@pytest.mark.parametrize("confident", [False, True])
def test_certified_answers_are_the_scans(confident):
    codes = codes_of(5000, 32)
    scores = np.random.default_rng(5).normal(size=(60, 32)) * (codes_of(60, 32, seed=3).to_signs())
    scores = np.abs(scores) * codes_of(60, 32, seed=3).to_signs()
    queries = Codes.from_scores(scores)
    index = TableIndex(32, bits=range(12), max_probes=800).add(codes)
    found = index.search(queries, 2, scores=scores if confident else None)
    exact = FlatIndex(32).add(codes).search(queries, 2)
    proven = found.certificate.exact
    assert 0 < proven.sum() < 60
    assert_array_equal(found.ids[proven], exact.ids[proven])
    assert (found.certificate.radius[proven] >= exact.distances[proven, -1]).all()
    assert (found.certificate.probes <= 800).all()


def test_confident_probes_find_more_than_blind_ones():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 24))
    scores = points[:300] + 0.15 * rng.normal(size=(300, 24))
    index = TableIndex(24, max_probes=12).add(Codes.from_scores(points))
    queries = Codes.from_scores(scores)
    found = [index.search(queries, 5, scores=given).ids for given in (None, scores)]
    hits = [(ids == np.arange(300)[:, None]).any(axis=1).mean() for ids in found]
    assert hits[1] > hits[0] + 0.15


def test_limits_hold_and_are_told():
    codes = Codes.from_bits(np.zeros((500, 20), np.uint8))
    query = codes[:1]
    index = TableIndex(20, max_candidates=7, max_probes=50).add(codes)
    found = index.search(query, 10)
    assert_array_equal(found.ids[0], [0, 1, 2, 3, 4, 5, 6, -1, -1, -1])
    certificate = found.certificate
    assert (certificate.candidates[0], certificate.radius[0], certificate.exact[0]) == (7, -1, False)
    index.max_candidates = None
    assert index.search(query, 10).certificate.exact.all()
    far = Codes.from_bits(np.ones((1, 20), np.uint8))
    nothing = index.search(far, 3)
    assert_array_equal(nothing.ids, [[-1, -1, -1]])
    assert_array_equal(nothing.distances, [[21, 21, 21]])
    assert (nothing.certificate.probes[0], nothing.certificate.radius[0]) == (50, 1)
    assert not nothing.certificate.exact[0]


def test_what_was_removed_counts_against_no_limit():
    index = TableIndex(8, max_candidates=3).add(Codes.from_bits(np.zeros((6, 8), np.uint8)))
    index.remove([0, 1, 2])
    found = index.search(Codes.from_bits(np.zeros((1, 8), np.uint8)), 5)
    assert_array_equal(found.ids[0], [3, 4, 5, -1, -1])
    assert found.certificate.candidates[0] == 3
    assert found.certificate.radius[0] == 8


def test_look_up_gives_one_whole_bucket():
    codes = codes_of(3000, 40, flipped=0.02)
    index = TableIndex(40, bits=[3, 30, 17, 8], max_probes=1, max_candidates=1).add(codes)
    queries = codes_of(5, 40, seed=2)
    found = index.lookup(queries)
    for query, (ids, distances) in zip(queries.unpack(), found, strict=True):
        true_ids, true_distances = by_counting(codes, np.arange(3000), query, [3, 30, 17, 8], 0)
        assert_array_equal(ids, true_ids)
        assert_array_equal(distances, true_distances)
    assert_array_equal(found.certificate.probes, np.ones(5))
    assert_array_equal(found.certificate.candidates, found.counts)


def test_answer_depends_on_neither_batches_nor_threads():
    codes, queries = codes_of(9000, 50), codes_of(40, 50, seed=1)
    whole = TableIndex(50, bits=range(13), max_candidates=60, n_threads=1).add(codes)
    parts = TableIndex(50, bits=range(13), max_candidates=60, n_threads=3)
    for start in range(0, 9000, 1100):
        parts.add(codes[start : start + 1100])
        one, other = parts.search(queries, 5), whole.search(queries, 5)
    assert_array_equal(one.ids, other.ids)
    assert_array_equal(one.certificate.candidates, other.certificate.candidates)


def test_ids_removal_and_growth_are_those_of_a_flat_index():
    index = TableIndex(64).add(codes_of(3000, 64))
    index.remove(np.arange(2900))
    assert len(index) == 100
    assert_array_equal(index.search(index.reconstruct([2950]), 1).distances, [[0]])
    assert_array_equal(index.add(codes_of(1, 64)).ids[-1:], [3000])


@pytest.mark.parametrize("n", [0, 1, 3000])
def test_loaded_index_answers_as_the_saved_one(tmp_path, n):
    index = TableIndex(33, bits=[1, 32, 5], max_flips=1, max_probes=9, max_candidates=40).add(codes_of(n, 33))
    index.remove(np.arange(n // 3))
    index.save(tmp_path / "index")
    loaded = TableIndex.load(tmp_path / "index", n_threads=2)
    queries = codes_of(6, 33, seed=4)
    assert_array_equal(loaded.bits, [1, 32, 5])
    assert (loaded.max_flips, loaded.max_probes, loaded.max_candidates, loaded.n_threads) == (1, 9, 40, 2)
    assert_array_equal(loaded.search(queries, 4).ids, index.search(queries, 4).ids)
    assert_array_equal(loaded.search_radius(queries, 9).ids, index.search_radius(queries, 9).ids)
    assert_array_equal(loaded.add(codes_of(2, 33)).ids, index.add(codes_of(2, 33)).ids)


@pytest.mark.parametrize(
    "changed", [{"bits": [1, 1]}, {"bits": [33]}, {"bits": None}, {"max_probes": 0}, {"max_flips": "2"}, {"n_bits": 40}]
)
def test_contradicting_file_is_refused(tmp_path, changed):
    path = tmp_path / "index"
    TableIndex(33).add(codes_of(10, 33)).save(path)
    arrays, header = read_arrays(path, kind="table-index")
    write_arrays(path, arrays, kind="table-index", header=header | changed)
    with pytest.raises(FileFormatError, match="not a sound index file"):
        TableIndex.load(path)


def test_files_of_other_kinds_are_refused(tmp_path):
    FlatIndex(8).save(tmp_path / "flat")
    with pytest.raises(FileFormatError, match="holds a flat-index; a table-index was expected"):
        TableIndex.load(tmp_path / "flat")


@pytest.mark.parametrize("bits", [[], [8], [-1], [1, 1], [0.5], "01", [[1]], list(range(65))])
def test_unusable_key_bits_are_refused(bits):
    with pytest.raises(InvalidInputError, match="bits must be"):
        TableIndex(8 if bits != list(range(65)) else 100, bits=bits)


@pytest.mark.parametrize("option", ["max_flips", "max_probes", "max_candidates"])
def test_unusable_limits_are_refused(option):
    with pytest.raises(InvalidInputError, match=option):
        TableIndex(8, **{option: -1})


def test_scores_of_other_queries_are_refused():
    index, scores = TableIndex(8).add(codes_of(10, 8)), np.random.default_rng(0).normal(size=(2, 8))
    queries = Codes.from_scores(scores)
    with pytest.raises(InvalidInputError, match="of the same vectors"):
        index.search(queries, 1, scores=-scores)
    with pytest.raises(ShapeError, match="2 queries need as many rows"):
        index.search(queries, 1, scores=scores[:1])
    with pytest.raises(CodeWidthError):
        index.search(queries, 1, scores=scores[:, :7])
    with pytest.raises(InvalidInputError, match="finite"):
        index.search_radius(queries, 1, scores=np.where(scores > 0, np.inf, scores))


def test_empty_index_and_empty_batch_answer_with_nothing():
    index = TableIndex(8)
    found = index.search(codes_of(2, 8), 3)
    assert_array_equal(found.ids, np.full((2, 3), -1))
    assert found.certificate.exact.all()
    assert len(index.search_radius(codes_of(2, 8), 3).ids) == 0
    assert len(index.add(codes_of(5, 8)).search(codes_of(0, 8), 3)) == 0
    assert len(index.lookup(codes_of(0, 8))) == 0


def test_table_is_registered_as_approximate():
    assert registry.load("indexes", "table") is TableIndex
    assert not TableIndex.exact


@pytest.mark.parametrize("n", [1, 5, np.int64(8)])
def test_a_number_of_bits_takes_the_first(n):
    assert TableIndex(8, bits=n).bits.tolist() == list(range(n))


@pytest.mark.parametrize("n", [0, 9, -1, True])
def test_a_number_of_bits_that_no_code_has_is_refused(n):
    with pytest.raises(InvalidInputError, match="how many to take"):
        TableIndex(8, bits=n)
