"""MultiIndex answers as FlatIndex does, by tables or by the scan, and its certificate is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hammingway.codes import Codes
from hammingway.errors import CodeWidthError, FileFormatError, InvalidInputError
from hammingway.indexes import FlatIndex, MultiIndex, multi
from hammingway.kernels import probing_twin
from hammingway.kernels.probing import Budget
from hammingway.testing.indexes import Oracle, check_index


def clustered(n, n_bits, *, seed=0, n_centres=40, flipped=0.05):
    rng = np.random.default_rng([seed, n_bits])
    centres = np.random.default_rng(n_bits).integers(0, 2, (n_centres, n_bits))
    return Codes.from_bits(centres[rng.integers(0, n_centres, n)] ^ (rng.random((n, n_bits)) < flipped))


def generous(*_):
    return Budget(1, 1, 1, 10**6, 10**8)


def stingy(*_):
    return Budget(1, 1, 1, 300, 900)


@pytest.fixture(params=[generous, stingy], ids=["by tables", "by both"])
def small_tables(request, monkeypatch):
    """Use tables from 9 codes on, under a budget that lets them finish, or that stops some in the middle."""
    monkeypatch.setattr(multi, "_TAIL", 8)
    monkeypatch.setattr(multi, "budget_for", request.param)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 63, 64, 65])
def test_index_of_tables_keeps_the_contract(n_bits, small_tables):
    check_index(MultiIndex, widths=[n_bits], seed=3)


@pytest.mark.parametrize("n_tables", [1, 2, 5, 9])
def test_any_number_of_tables_keeps_the_contract(n_tables, small_tables):
    class Fixed(MultiIndex):
        def __init__(self, n_bits, *, n_threads=None):
            super().__init__(n_bits, n_tables=n_tables, n_threads=n_threads)

    check_index(Fixed, widths=[9])


def test_numpy_tables_keep_the_contract(monkeypatch):
    monkeypatch.setattr(multi, "probing", lambda: probing_twin)
    monkeypatch.setattr(multi, "budget_for", lambda *_: Budget(1, 1, 1, 400, 1500))
    codes, queries = clustered(700, 20), clustered(4, 20, seed=1)
    index, oracle = MultiIndex(20).add(codes), Oracle(20)
    oracle.add(codes, range(700))
    oracle.agree(index, queries, why="tables in NumPy")
    by_scan = index.search(queries, 3).certificate.by_scan
    assert not by_scan.all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n_bits=st.integers(1, 140),
    n=st.integers(600, 1500),
    flipped=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    k=st.sampled_from([1, 2, 10, 400]),
    budget=st.sampled_from([300, 3000, 100_000]),
    own_ids=st.booleans(),
    removed=st.sampled_from([0.0, 0.2, 0.45]),
    seed=st.integers(0, 1000),
)
def test_answers_are_the_scans(n_bits, n, flipped, k, budget, own_ids, removed, seed):
    rng = np.random.default_rng(seed)
    codes = clustered(n, n_bits, seed=seed, flipped=flipped)
    queries = clustered(5, n_bits, seed=seed + 1, flipped=flipped)
    ids = rng.permutation(5 * n)[:n] if own_ids else np.arange(n)
    gone = rng.permutation(ids)[: int(removed * n)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi, "budget_for", lambda *_: Budget(2, 1, 1, budget, 3 * budget))
        indexes = [kind(n_bits).add(codes[: n - 7], ids=ids[: n - 7]) for kind in (FlatIndex, MultiIndex)]
        for index in indexes:
            index.add(codes[n - 7 :], ids=ids[n - 7 :])
            index.remove(gone)
        flat, many = (index.search(queries, k) for index in indexes)
        assert_array_equal(many.ids, flat.ids)
        assert_array_equal(many.distances, flat.distances)
        for radius in (0, 3):
            flat, many = (index.search_radius(queries, radius) for index in indexes)
            assert_array_equal(many.ids, flat.ids)
            assert_array_equal(many.distances, flat.distances)
            assert_array_equal(many.offsets, flat.offsets)
            assert (many.certificate.radius >= min(radius, n_bits)).all()


def test_certificate_tells_tables_from_scans(monkeypatch):
    monkeypatch.setattr(multi, "budget_for", lambda *_: Budget(1, 1, 1, 1500, 10_000))
    n_bits = 64
    codes = clustered(200_000, n_bits, n_centres=2000, flipped=0.02)
    near = clustered(5, n_bits, seed=1, n_centres=2000, flipped=0.02)
    far = Codes.from_bits(np.random.default_rng(7).integers(0, 2, (5, n_bits)))
    index = MultiIndex(n_bits, n_threads=1).add(codes)
    found = index.search(Codes.concatenate([near, far]), 3)
    certificate = found.certificate
    assert certificate.exact.all()
    assert not certificate.by_scan[:5].any()
    assert certificate.by_scan[5:].all()
    assert (certificate.radius[:5] >= found.distances[:5, -1]).all()
    assert (certificate.radius[5:] == n_bits).all()
    assert (certificate.candidates[:5] < len(index) / 100).all()
    assert_array_equal(found.ids, FlatIndex(n_bits).add(codes).search(Codes.concatenate([near, far]), 3).ids)


def test_all_codes_equal_are_left_to_the_scan():
    index = MultiIndex(64).add(Codes(np.zeros((100_000, 8), np.uint8), 64))
    found = index.search(Codes(np.zeros((1, 8), np.uint8), 64), 5)
    assert_array_equal(found.ids, [[0, 1, 2, 3, 4]])
    assert found.certificate.by_scan.all()
    assert found.certificate.candidates.max() < 2000


def test_few_codes_are_scanned():
    index = MultiIndex(16).add(clustered(100, 16))
    certificate = index.search(clustered(3, 16, seed=1), 2).certificate
    assert certificate.by_scan.all()
    assert certificate.probes.max() == 0


def test_batch_thread_count_and_order_of_adding_never_change_a_result(small_tables):
    codes, queries = clustered(5000, 40), clustered(64, 40, seed=1)
    one, three = (MultiIndex(40, n_threads=n).add(codes) for n in (1, 3))
    parts = MultiIndex(40)
    for start in range(0, 5000, 333):
        parts.add(codes[start : start + 333])
    expected = one.search(queries, 7)
    for index in (three, parts):
        assert_array_equal(index.search(queries, 7).ids, expected.ids)
    for row in range(0, 64, 13):
        assert_array_equal(one.search(queries[row : row + 1], 7).ids[0], expected.ids[row])


def test_substrings_are_about_as_long_as_the_logarithm_of_the_number_of_codes():
    index = MultiIndex(128).add(clustered(2**14, 128))
    assert len(index._tables) == round(128 / 14)
    assert len(MultiIndex(128, n_tables=4).add(clustered(2**14, 128))._tables) == 4


def test_size_counts_rows_and_tables():
    codes = clustered(4096, 64)
    index = MultiIndex(64).add(codes)
    tables = sum(table.size_bytes for table in index._tables)
    assert index.size_bytes == FlatIndex(64).add(codes).size_bytes + codes.size_bytes + tables
    assert 4 * 4096 * len(index._tables) < tables <= 20 * 4096 * len(index._tables)


def test_removal_gives_memory_back():
    index = MultiIndex(64).add(clustered(10_000, 64))
    before = index.size_bytes
    index.remove(np.arange(9_000))
    assert index.size_bytes < before / 3


def test_a_flat_index_file_opens_as_a_multi_index(tmp_path):
    codes, queries = clustered(2000, 30), clustered(3, 30, seed=1)
    FlatIndex(30).add(codes).save(tmp_path / "index")
    index = MultiIndex.load(tmp_path / "index", n_tables=3, n_threads=2)
    assert (index.n_tables, index.n_threads, len(index._tables)) == (3, 2, 3)
    assert_array_equal(index.search(queries, 5).ids, FlatIndex.load(tmp_path / "index").search(queries, 5).ids)
    with pytest.raises(InvalidInputError, match="n_tables"):
        MultiIndex.load(tmp_path / "index", n_tables=31)
    (tmp_path / "index").write_bytes(b"no index")
    with pytest.raises(FileFormatError):
        MultiIndex.load(tmp_path / "index")


@pytest.mark.parametrize("n_tables", [0, -1, 1, 66, 2.0, "3", True])
def test_unusable_numbers_of_tables_are_refused(n_tables):
    with pytest.raises(InvalidInputError, match="n_tables"):
        MultiIndex(65, n_tables=n_tables)


def test_queries_of_another_width_are_refused():
    index = MultiIndex(64).add(clustered(1000, 64))
    with pytest.raises(CodeWidthError, match="queries have 63 bits"):
        index.search(clustered(1, 63), 1)
    with pytest.raises(CodeWidthError, match="queries have 65 bits"):
        index.search_radius(clustered(1, 65), 1)
