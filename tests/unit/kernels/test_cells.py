"""Search in cells: every instruction set gives what NumPy gives, and arrays that do not fit are refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.kernels import LANES, Biases, available, write_rows
from hammingway.kernels.backends import native_module
from hammingway.kernels.cells import Celled, NativeCellScan, TwinCellScan

NATIVE = [name for name in available() if name != "numpy"]


def celled_of(n_bits, *, n_blocks=6, n_cells=5, seed=0):
    """Return random codes whose blocks are dealt out to cells, some lanes dead, under shuffled ids."""
    rng = np.random.default_rng([seed, n_bits])
    planes, live = np.zeros((n_blocks, n_bits, 8), np.uint64), np.zeros((n_blocks, 8), np.uint64)
    bits = rng.integers(0, 2, (n_blocks * LANES, n_bits), dtype=np.uint8)
    write_rows(planes, live, np.packbits(bits, axis=1, bitorder="little"), 0)
    live &= rng.integers(0, 2**64, live.shape, dtype=np.uint64)
    cells = rng.integers(0, n_cells - 1, n_blocks)  # the last cell has no block
    offsets = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=n_cells))])
    return Celled(planes, live, rng.permutation(n_blocks * LANES), np.argsort(cells, kind="stable"), offsets)


def visits_of(n_queries, n_cells, n_probe, seed=1):
    rng = np.random.default_rng(seed)
    visits = np.array([rng.permutation(n_cells)[:n_probe] for _ in range(n_queries)])
    visits[::3, n_probe - 1] = -1  # rows that end early
    return visits


@pytest.mark.parametrize("isa", NATIVE)
@pytest.mark.parametrize("n_bits", [1, 9, 64, 65, 300])
@pytest.mark.parametrize("n_queries", [1, 40])
def test_every_instruction_set_gives_what_numpy_gives(isa, n_bits, n_queries):
    celled, rng = celled_of(n_bits), np.random.default_rng(2)
    bits = rng.integers(0, 2, (n_queries, n_bits), dtype=np.uint8)
    queries = np.packbits(bits, axis=1, bitorder="little")
    weights = rng.integers(-127, 128, (n_queries, n_bits)).astype(np.int8)
    visits = visits_of(n_queries, 5, 3)
    native, twin = NativeCellScan(native_module(), isa), TwinCellScan()
    for k in (7, 600):
        for name, asked in (("top_k", queries), ("top_k_asymmetric", weights)):
            found = getattr(native, name)(celled, asked, k, visits=visits, n_threads=2)
            expected = getattr(twin, name)(celled, asked, k, visits=visits, n_threads=1)
            for mine, true in zip(found, expected, strict=True):
                assert_array_equal(mine, true)
    found = native.within(celled, queries, n_bits // 2, visits=visits, n_threads=2)
    for mine, true in zip(found, twin.within(celled, queries, n_bits // 2, visits=visits, n_threads=1), strict=True):
        assert_array_equal(mine, true)


@pytest.mark.parametrize("isa", NATIVE)
@pytest.mark.parametrize("n_bits", [1, 9, 64, 65, 300])
@pytest.mark.parametrize("scale", [0.0, 2.0, 1e12])
def test_every_instruction_set_ranks_biased_sums_as_numpy_does(isa, n_bits, scale):
    celled, rng = celled_of(n_bits), np.random.default_rng(2)
    of_slot = (rng.integers(-20, 21, len(celled.planes) * LANES) / 20 * scale).astype(np.float32)
    weights, units = rng.integers(-127, 128, (200, n_bits)).astype(np.int8), rng.random(200)
    units[3:9] = 0
    native, twin = NativeCellScan(native_module(), isa), TwinCellScan()
    for n_queries, k in ((1, 7), (30, 7), (30, 600), (200, 3)):
        biases = Biases(units[:n_queries], of_slot, of_slot.reshape(-1, LANES).max(axis=1))
        options = {"biases": biases, "visits": visits_of(n_queries, 5, 3)}
        expected = twin.top_k_biased(celled, weights[:n_queries], k, **options, n_threads=1)
        for n_threads in (1, 3):
            found = native.top_k_biased(celled, weights[:n_queries], k, **options, n_threads=n_threads)
            for mine, true in zip(found, expected, strict=True):
                assert_array_equal(mine, true)


@pytest.mark.skipif(not NATIVE, reason="needs the native module")
@pytest.mark.parametrize("wrong", [{"units": np.ones(3)}, {"of_slot": np.zeros(5, np.float32)}])
def test_biases_of_another_length_are_refused(wrong):
    celled, zeros = celled_of(8), np.zeros(6 * LANES, np.float32)
    biases = Biases(np.ones(2), zeros, zeros[:6])._replace(**wrong)
    scan = NativeCellScan(native_module(), NATIVE[0])
    with pytest.raises(ValueError, match="belong together"):
        scan._module.top_k_biased_in_cells(
            scan._isa,
            *celled,
            np.ones((2, 8), np.int8),
            *biases,
            visits_of(2, 5, 3),
            np.empty((2, 1), np.int64),
            np.empty((2, 1)),
            1,
        )


def test_a_query_that_visits_nothing_finds_nothing():
    celled, queries = celled_of(8), np.zeros((2, 1), np.uint8)
    visits = np.full((2, 1), -1)
    for scan in (TwinCellScan(), *(NativeCellScan(native_module(), isa) for isa in NATIVE)):
        slots, distances = scan.top_k(celled, queries, 3, visits=visits, n_threads=1)
        assert (slots == -1).all() and (distances == 9).all()
        assert_array_equal(scan.within(celled, queries, 8, visits=visits, n_threads=1)[2], [0, 0, 0])


@pytest.mark.skipif(not NATIVE, reason="needs the native module")
@pytest.mark.parametrize(
    "wrong",
    [
        {"ids": np.arange(10)},
        {"blocks": np.full(6, 99)},
        {"blocks": np.full(6, -1)},
        {"offsets": np.array([0, 5, 4, 6, 6, 6])},
        {"offsets": np.array([0, 6, 12])},
        {"live": np.zeros((3, 8), np.uint64)},
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(wrong):
    celled = celled_of(8)._replace(**wrong)
    with pytest.raises(ValueError, match=r"belong together|offsets|no such block"):
        native_module().top_k_in_cells(
            NATIVE[0],
            *celled,
            np.zeros((1, 1), np.uint8),
            np.zeros((1, 1), np.int64),
            np.empty((1, 1), np.int64),
            np.empty((1, 1), np.int32),
            1,
        )


@pytest.mark.skipif(not NATIVE, reason="needs the native module")
@pytest.mark.parametrize("visits", [[[5]], [[-2]], [[0], [0]]])
def test_visits_to_cells_that_are_not_there_are_refused(visits):
    scan = NativeCellScan(native_module(), NATIVE[0])
    with pytest.raises(ValueError, match=r"no such cell|one row a query"):
        scan._module.within_in_cells(
            NATIVE[0], *celled_of(8), np.zeros((1, 1), np.uint8), np.array(visits, np.int64), 3, 1
        )
