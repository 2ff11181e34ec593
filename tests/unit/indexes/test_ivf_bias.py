"""IVFIndex ranks what its cells hold by score plus bias where codes were added with one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError
from hammingway.indexes import FlatIndex, IVFIndex, load_index
from hammingway.indexes.cell_store import CellStore
from hammingway.indexes.query_weights import quantize_scores
from hammingway.storage import read_arrays, write_arrays


def random_codes(n, n_bits, seed=0):
    return Codes.from_bits(np.random.default_rng(seed).integers(0, 2, (n, n_bits), dtype=np.uint8))


def random_scores(n, n_bits, seed=1):
    return np.random.default_rng(seed).standard_normal((n, n_bits))


def random_bias(n, scale=3.0, seed=5):
    return (np.random.default_rng(seed).standard_normal(n) * scale).astype(np.float32)


def assert_ranked(index, codes, ids, bias, scores, k, *, n_probe, **options):
    """The oracle: signs times integer weights in units plus bias, of the cells whose centres agree best."""
    found = index.search_asymmetric(scores, k, n_probe=n_probe, **options)
    weights, units = quantize_scores(scores, 8)
    centres = weights.astype(np.int64) @ index.centres.to_signs().T.astype(np.int64)
    cells = index.centres.to_signs().astype(np.int64) @ codes.to_signs().T.astype(np.int64)
    own = cells.argmax(axis=0)  # the nearest centre, the first of equals
    values = (weights.astype(np.int64) @ codes.to_signs().T.astype(np.int64)) * units[:, None] + bias.astype(np.float64)
    holds = np.isin(np.arange(index.n_cells), own)
    for row, value in enumerate(values):
        visited = [cell for cell in np.argsort(-centres[row], kind="stable") if holds[cell]][:n_probe]
        mine = np.flatnonzero(np.isin(own, visited))
        order = mine[np.lexsort((ids[mine], -value[mine]))][:k]
        assert_array_equal(found.ids[row, : len(order)], ids[order])
        assert_array_equal(found.scores[row, : len(order)], value[order])
        assert_array_equal(found.ids[row, len(order) :], -1)
        assert_array_equal(found.scores[row, len(order) :], -np.inf)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 1500),
    n_bits=st.sampled_from([1, 7, 8, 9, 63, 64, 65, 200]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e9, 3e37]),
    levels=st.sampled_from([1, 5, 10**6]),
    k=st.integers(1, 60),
    n_probe=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_search_agrees_with_the_sums(n, n_bits, scale, levels, k, n_probe, seed):
    rng = np.random.default_rng(seed)
    bias = (rng.integers(-levels, levels + 1, n) / levels * scale).astype(np.float32)
    codes, ids = random_codes(n, n_bits, seed), rng.permutation(3 * n)[:n]
    index = IVFIndex(n_bits, n_cells=5, n_threads=2).add(codes, ids, bias=bias)
    assert_ranked(index, codes, ids, bias, random_scores(3, n_bits, seed), k, n_probe=n_probe)


@pytest.mark.parametrize("n_queries", [1, 300])
def test_with_all_cells_the_answer_is_the_scans(n_queries):
    codes, scores, bias = random_codes(6000, 40), random_scores(n_queries, 40), random_bias(6000).round()
    flat = FlatIndex(40).add(codes, bias=bias).search_asymmetric(scores, 30)
    for n_threads in (1, 3):
        index = IVFIndex(40, n_cells=9, n_threads=n_threads).add(codes, bias=bias)
        found = index.search_asymmetric(scores, 30, n_probe=9)
        assert_array_equal(found.ids, flat.ids)
        assert_array_equal(found.scores, flat.scores)
        assert found.certificate.exact.all()


def test_biases_follow_their_codes_into_new_cells_and_through_removal():
    codes, bias, ids = random_codes(7000, 24), random_bias(7000), np.random.default_rng(4).permutation(20_000)[:7000]
    index, scores, kept = IVFIndex(24, n_probe=3), random_scores(5, 24), np.arange(0)
    for start, end in ((0, 40), (40, 1100), (1100, 7000)):  # trains anew each time
        index.add(codes[start:end], ids[start:end], bias=bias[start:end])
        kept = np.concatenate([kept, np.arange(start, end)])
        assert_ranked(index, codes[kept], ids[kept], bias[kept], scores, 40, n_probe=3)
    for gone in (np.arange(0, 7000, 3), np.arange(1, 7000, 3)):  # the second rewrites the index
        index.remove(ids[gone])
        kept = np.setdiff1d(kept, gone)
        assert_ranked(index, codes[kept], ids[kept], bias[kept], scores, 40, n_probe=100)
    index.fit()
    assert_ranked(index, codes[kept], ids[kept], bias[kept], scores, 40, n_probe=2)


def test_a_filter_leaves_the_bias_in_place():
    codes, scores, bias = random_codes(3000, 24), random_scores(5, 24), random_bias(3000)
    index, mask = IVFIndex(24, n_cells=6).add(codes, bias=bias), np.random.default_rng(6).random(3000) < 0.1
    kept = np.flatnonzero(mask)
    expected = FlatIndex(24).add(codes[kept], kept, bias=bias[kept]).search_asymmetric(scores, 20)
    found = index.search_asymmetric(scores, 20, n_probe=6, where=mask)
    assert_array_equal(found.ids, expected.ids)
    assert_array_equal(found.scores, expected.scores)


def test_a_saved_index_answers_the_same(tmp_path):
    codes, scores, bias = random_codes(3000, 24), random_scores(5, 24), random_bias(3000)
    index = IVFIndex(24, n_cells=6, n_probe=2).add(codes, bias=bias)
    for removed in ([], np.arange(0, 3000, 4)):
        index.remove(removed)
        index.save(tmp_path / "index")
        loaded = load_index(tmp_path / "index")
        assert loaded.has_bias
        assert_array_equal(loaded.search_asymmetric(scores, 60).ids, index.search_asymmetric(scores, 60).ids)
        assert_array_equal(loaded.search_asymmetric(scores, 60).scores, index.search_asymmetric(scores, 60).scores)
    loaded.add(random_codes(9, 24), bias=random_bias(9))
    IVFIndex(24).add(codes).save(tmp_path / "plain")
    assert not load_index(tmp_path / "plain").has_bias


@pytest.mark.parametrize("damaged", [np.zeros(9, np.float32), np.zeros(10), np.full(10, np.nan, np.float32)])
def test_a_file_with_damaged_biases_is_refused(tmp_path, damaged):
    IVFIndex(24).add(random_codes(10, 24), bias=random_bias(10)).save(tmp_path / "index")
    arrays, header = read_arrays(tmp_path / "index", kind="ivf-index")
    write_arrays(tmp_path / "bad", {**arrays, "bias": damaged}, kind="ivf-index", header=header)
    with pytest.raises(FileFormatError, match="bias"):
        IVFIndex.load(tmp_path / "bad")


def test_hamming_search_and_centres_pass_over_the_bias():
    codes, queries = random_codes(3000, 40), random_codes(6, 40, seed=2)
    plain, biased = IVFIndex(40).add(codes), IVFIndex(40).add(codes, bias=random_bias(3000))
    assert_array_equal(biased.centres.packed, plain.centres.packed)
    assert_array_equal(biased.search(queries, 20).ids, plain.search(queries, 20).ids)
    assert biased.size_bytes - plain.size_bytes >= 4 * 3000


def test_a_bias_for_some_codes_only_is_refused():
    codes = random_codes(5, 8)
    for first, second in ((None, np.zeros(5)), (np.zeros(5), None)):
        index = IVFIndex(8).add(codes, bias=first)
        with pytest.raises(InvalidInputError, match="a bias or none"):
            index.add(codes, bias=second)
        assert len(index) == 5
        index.remove(np.arange(5))
        assert index.add(codes, bias=second).has_bias == (second is not None)
        found = np.sort(index.search_asymmetric(np.ones((1, 8)), 9).ids[0])
        assert_array_equal(found, [-1, -1, -1, -1, 5, 6, 7, 8, 9])


@pytest.mark.parametrize(
    ("bias", "error"), [(np.full(5, np.nan), InvalidInputError), (np.zeros(4), ShapeError), ("text", InvalidInputError)]
)
def test_wrong_biases_are_refused_and_nothing_is_added(bias, error):
    index = IVFIndex(8)
    with pytest.raises(error, match="bias"):
        index.add(random_codes(5, 8), bias=bias)
    assert len(index) == 0
    assert not index.has_bias


def test_an_add_that_fails_takes_its_biases_back(monkeypatch):
    codes, scores, bias = random_codes(1000, 16), random_scores(2, 16), random_bias(1000)
    index = IVFIndex(16, n_cells=1).add(codes, bias=bias)

    def put_and_fail(cells):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CellStore, "_reserve_ids", put_and_fail)
        index.add(codes, bias=np.full(1000, 1e6))
    assert_ranked(index, codes, np.arange(1000), bias, scores, 20, n_probe=1)
    index.add(codes, bias=bias + 1)
    both = Codes.from_bits(np.concatenate([codes.unpack(), codes.unpack()]))
    assert_ranked(index, both, np.arange(2000), np.concatenate([bias, bias + 1]), scores, 20, n_probe=1)
