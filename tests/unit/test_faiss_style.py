"""The faiss face: what faiss documents, fixed by hand, and beside faiss itself where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway import FlatIndex, faiss_style
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.faiss_style import IndexBinaryFlat, IndexBinaryHash, IndexBinaryIDMap, IndexBinaryIDMap2, IndexBinaryIVF

EMPTY = np.iinfo(np.int32).max
CODES = np.array([[0b0000], [0b1111], [0b0001], [0b0011], [0b0001]], np.uint8)
ZERO = CODES[:1]


def same(found, expected):
    """Compare tuples of arrays, their dtypes and shapes included."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other, strict=True)


def int32(*rows):
    return np.array(rows, np.int32)


@pytest.fixture
def flat():
    index = IndexBinaryFlat(8)
    index.add(CODES)
    return index


def test_attributes_are_those_of_faiss(flat):
    assert (flat.d, flat.code_size, flat.ntotal, flat.is_trained) == (8, 1, 5, True)
    assert flat.train(CODES) is None and flat.ntotal == 5
    assert repr(flat) == "IndexBinaryFlat(5 codes of 8 bits)"


def test_search_pads_with_minus_one_and_the_greatest_int32(flat):
    same(flat.search(ZERO, 7), (int32([0, 1, 1, 2, 4, EMPTY, EMPTY]), np.array([[0, 2, 4, 3, 1, -1, -1]])))
    same(flat.search(ZERO[:0], 2), (np.empty((0, 2), np.int32), np.empty((0, 2), np.int64)))


@pytest.mark.parametrize(("radius", "ids"), [(-1, []), (0, []), (1, [0]), (2, [0, 2, 4]), (3, [0, 2, 3, 4])])
def test_radius_is_strict(flat, radius, ids):
    lims, distances, found = flat.range_search(ZERO, radius)
    assert_array_equal(lims, np.array([0, len(ids)], np.uint64), strict=True)
    assert_array_equal(found, np.array(ids, np.int64), strict=True)
    assert_array_equal(distances, np.array([0, 4, 1, 2, 1], np.float32)[found], strict=True)


def test_range_search_separates_queries(flat):
    lims, distances, ids = flat.range_search(CODES[[1, 0, 2]], 1)
    assert_array_equal(lims, [0, 1, 2, 4])
    assert_array_equal(ids, [1, 0, 2, 4])
    assert_array_equal(distances, [0, 0, 0, 0])


def test_removal_shifts_the_ids_of_later_codes(flat):
    assert flat.remove_ids(np.array([3, 0, 3, 99, -5])) == 2
    assert flat.ntotal == 3
    assert_array_equal(flat.reconstruct_n(0, 3), CODES[[1, 2, 4]])
    same(flat.search(CODES[4:], 2), (int32([0, 0]), np.array([[1, 2]])))
    flat.add(ZERO)
    assert_array_equal(flat.reconstruct(3), ZERO[0])
    assert flat.remove_ids(np.arange(4)) == 4 and flat.ntotal == 0
    assert flat.remove_ids(np.empty(0, np.int64)) == 0


def test_reset_begins_again_at_zero(flat):
    flat.reset()
    assert flat.ntotal == 0
    flat.add(CODES[1:2])
    same(flat.search(ZERO, 2), (int32([4, EMPTY]), np.array([[0, -1]])))


@pytest.mark.parametrize("kind", [IndexBinaryIDMap, IndexBinaryIDMap2])
def test_id_map_keeps_ids_through_removal(kind):
    index = kind(IndexBinaryFlat(8))
    index.add_with_ids(CODES, np.array([50, 7, 40, 2**40, 30]))
    same(index.search(ZERO, 3), (int32([0, 1, 1]), np.array([[50, 30, 40]])))
    assert index.remove_ids(np.array([50, 40, 6, -1])) == 2
    assert_array_equal(index.id_map, [7, 30, 2**40])
    same(
        index.range_search(ZERO, 3),
        (np.array([0, 2], np.uint64), np.array([1, 2], np.float32), np.array([30, 2**40])),
    )
    assert index.remove_ids([]) == 0
    with pytest.raises(InvalidInputError, match="use add_with_ids"):
        index.add(CODES)


def test_many_ids_are_looked_up_at_once(monkeypatch):
    index, ids = IndexBinaryIDMap(IndexBinaryFlat(8)), np.arange(5000) * 3
    index.add_with_ids(np.zeros((5000, 1), np.uint8), ids)
    monkeypatch.delattr(FlatIndex, "__contains__")  # 90 us an id
    assert index.remove_ids(np.arange(9000)) == 3000
    assert_array_equal(index.id_map, ids[3000:])


def test_only_the_second_id_map_reconstructs():
    index = IndexBinaryIDMap2(IndexBinaryFlat(8))
    index.add_with_ids(CODES, np.arange(5) + 10)
    assert_array_equal(index.reconstruct(11), CODES[1], strict=True)
    assert not hasattr(IndexBinaryIDMap, "reconstruct")


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (InvalidInputError, "multiple of 8", lambda flat: IndexBinaryFlat(9)),
        (InvalidInputError, "n_bits must be", lambda flat: IndexBinaryFlat(0)),
        (InvalidInputError, "packed uint8; got int8", lambda flat: flat.add(CODES.astype(np.int8))),
        (ShapeError, r"shape \(n, 1\) for d = 8", lambda flat: flat.search(np.zeros((1, 2), np.uint8), 1)),
        (ShapeError, r"got \(1,\)", lambda flat: flat.add(CODES[0])),
        (ShapeError, r"shape \(n, 1\)", lambda flat: flat.train(np.zeros((1, 2), np.uint8))),
        (InvalidInputError, "k must be", lambda flat: flat.search(ZERO, 0)),
        (InvalidInputError, "radius must be", lambda flat: flat.range_search(ZERO, 2.5)),
        (InvalidInputError, "id 5 not in the index", lambda flat: flat.reconstruct(5)),
        (InvalidInputError, "ids must lie from 0", lambda flat: flat.reconstruct(-1)),
        (InvalidInputError, "not in the index", lambda flat: flat.reconstruct_n(3, 3)),
        (InvalidInputError, "ni must be", lambda flat: flat.reconstruct_n(0, -2)),
        (InvalidInputError, "ids must be integers", lambda flat: flat.remove_ids(np.array([0.0]))),
        (InvalidInputError, "must be empty; it holds 5", IndexBinaryIDMap),
        (InvalidInputError, "must be an IndexBinaryFlat", lambda flat: IndexBinaryIDMap(8)),
        (ShapeError, "need 5 ids", lambda flat: IndexBinaryIDMap(IndexBinaryFlat(8)).add_with_ids(CODES, [1])),
    ],
)
def test_wrong_calls_are_refused(flat, error, match, call):
    with pytest.raises(error, match=match):
        call(flat)
    assert flat.ntotal == 5


def clustered(rng, n, n_bytes):
    """Return codes of which many are equal or near to each other."""
    centres = rng.integers(0, 256, size=(8, n_bytes), dtype=np.uint8)
    flips = (rng.random((n, n_bytes)) < 0.2) * rng.integers(0, 256, size=(n, n_bytes))
    return centres[rng.integers(8, size=n)] ^ flips.astype(np.uint8)


def same_search(ours, theirs, x, k):
    """Distances agree; ids agree at each distance but the greatest, of which any may be returned."""
    (d, i), (d_faiss, i_faiss) = ours.search(x, k), theirs.search(x, k)
    assert_array_equal(d, d_faiss, strict=True)
    assert i.dtype == i_faiss.dtype and i.shape == i_faiss.shape
    for row in range(len(x)):
        complete = d[row] < d[row, -1] if k <= ours.ntotal else d[row] >= 0
        assert sorted(i[row, complete]) == sorted(i_faiss[row, complete])


def same_range(ours, theirs, x, radius):
    lims, d, i = ours.range_search(x, radius)
    lims_faiss, d_faiss, i_faiss = theirs.range_search(x, radius)
    # faiss lists an id map's results in the order of adding: compare them by id.
    order = np.lexsort((i_faiss, np.repeat(np.arange(len(x)), np.diff(lims_faiss).astype(np.int64))))
    same((lims, d, i), (lims_faiss, d_faiss[order], i_faiss[order]))


@pytest.mark.parametrize("n_bytes", [1, 2, 8, 9, 32])
def test_every_call_of_a_flat_index_answers_as_faiss(n_bytes):
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(n_bytes)
    x, queries = clustered(rng, 700, n_bytes), clustered(rng, 6, n_bytes)
    ours, theirs = faiss_style.IndexBinaryFlat(8 * n_bytes), faiss.IndexBinaryFlat(8 * n_bytes)
    gone = rng.integers(-3, 800, size=120)
    for step in (lambda i: i.train(x), lambda i: i.add(x), lambda i: i.remove_ids(gone), lambda i: i.add(x[:0])):
        assert step(ours) == step(theirs)
        assert (ours.ntotal, ours.d, ours.code_size, ours.is_trained) == (
            theirs.ntotal, theirs.d, theirs.code_size, theirs.is_trained,
        )  # fmt: skip
        for k in (1, 10, 650, 800):
            same_search(ours, theirs, queries, k)
        for radius in (-1, 0, 1, 2, 3 * n_bytes, 8 * n_bytes, 8 * n_bytes + 1):
            same_range(ours, theirs, queries, radius)
    assert_array_equal(ours.reconstruct(5), theirs.reconstruct(5), strict=True)
    assert_array_equal(ours.reconstruct_n(3, 40), theirs.reconstruct_n(3, 40), strict=True)
    same_search(ours, theirs, queries[::2], 5)
    ours.reset(), theirs.reset()
    same(ours.search(queries, 3), theirs.search(queries, 3))


@pytest.mark.parametrize("name", ["IndexBinaryIDMap", "IndexBinaryIDMap2"])
def test_every_call_of_an_id_map_answers_as_faiss(name):
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(3)
    x, queries, ids = clustered(rng, 300, 4), clustered(rng, 5, 4), rng.permutation(10_000)[:300]
    ours, theirs = (getattr(library, name)(library.IndexBinaryFlat(32)) for library in (faiss_style, faiss))
    for index in (ours, theirs):
        index.add_with_ids(x, ids)
    for gone in (ids[:0], ids[:50], ids[40:70]):
        assert ours.remove_ids(gone) == theirs.remove_ids(gone)
        assert_array_equal(ours.id_map, np.sort(faiss.vector_to_array(theirs.id_map)))
        for k in (1, 20, 400):
            same_search(ours, theirs, queries, k)
        for radius in (0, 1, 6, 33):
            same_range(ours, theirs, queries, radius)
    if name == "IndexBinaryIDMap2":
        assert_array_equal(ours.reconstruct(int(ids[200])), theirs.reconstruct(int(ids[200])), strict=True)


def bits_apart(one, other):
    """Return Hamming distances (len(one), len(other)), counted bit by bit."""
    a, b = np.unpackbits(one, axis=1), np.unpackbits(other, axis=1)
    return (a[:, None] != b[None]).sum(axis=2)


def best(distances, allowed, k):
    """Return D and I of the ``k`` nearest of what is allowed, by (distance, id)."""
    d, i = np.full((len(distances), k), EMPTY, np.int32), np.full((len(distances), k), -1)
    for row, (all_distances, may) in enumerate(zip(distances, allowed, strict=True)):
        ids = np.flatnonzero(may)
        ids = ids[np.lexsort((ids, all_distances[ids]))][:k]
        d[row, : len(ids)], i[row, : len(ids)] = all_distances[ids], ids
    return d, i


def nearer(distances, allowed, radius):
    """Return lims, D and I of what is allowed and nearer than ``radius``, by id."""
    found = [np.flatnonzero(may & (row < radius)) for row, may in zip(distances, allowed, strict=True)]
    d = np.concatenate([row[ids] for row, ids in zip(distances, found, strict=True)]).astype(np.float32)
    return np.cumsum([0, *map(len, found)]).astype(np.uint64), d, np.concatenate(found)


@pytest.mark.parametrize("n_bytes", [1, 2, 8, 9])
@pytest.mark.parametrize("nprobe", [1, 3, 8])
def test_cells_hold_what_is_nearest_to_their_centres(n_bytes, nprobe):
    rng = np.random.default_rng(n_bytes)
    centres = np.unique(rng.integers(0, 256, size=(40, n_bytes), dtype=np.uint8), axis=0)[:8]
    x, queries = clustered(rng, 900, n_bytes), clustered(rng, 7, n_bytes)
    quantizer = IndexBinaryFlat(8 * n_bytes)
    quantizer.add(centres)
    index = IndexBinaryIVF(quantizer, 8 * n_bytes, 8)
    index.add(x)
    index.nprobe = nprobe
    cell_of = np.argmin(bits_apart(x, centres), axis=1)
    visited = np.argsort(bits_apart(queries, centres), axis=1, kind="stable")[:, :nprobe]
    allowed = np.array([np.isin(cell_of, cells) for cells in visited])
    distances = bits_apart(queries, x)
    for k in (1, 10, 901):
        same(index.search(queries, k), best(distances, allowed, k))
    for radius in (0, 1, 2 * n_bytes, 8 * n_bytes + 1):
        same(index.range_search(queries, radius), nearer(distances, allowed, radius))


def test_cells_are_trained_before_codes_come_and_kept_on_reset():
    rng = np.random.default_rng(0)
    x = clustered(rng, 2000, 8)
    index = IndexBinaryIVF(IndexBinaryFlat(64), 64, 8)
    assert (index.is_trained, index.ntotal, index.nprobe, index.nlist) == (False, 0, 1, 8)
    with pytest.raises(InvalidInputError, match="train it"):
        index.add(x)
    with pytest.raises(InvalidInputError, match="8 cells need at least as many codes to train on; got 7"):
        index.train(x[:7])
    index.train(x)
    assert (index.is_trained, index.ntotal) == (True, 0)
    index.add(x)
    index.nprobe = 8
    exact = IndexBinaryFlat(64)
    exact.add(x)
    same(index.search(x[:9], 5), exact.search(x[:9], 5))
    assert index.remove_ids(np.array([3, 3, 5000, -1])) == 1
    index.add_with_ids(x[:1], [7000])
    index.add(x[:1])
    assert {0, 7000, 7001} <= set(index.range_search(x[:1], 1)[2].tolist())
    before = index._index.centres
    index.train(x[::-1])
    index.reset()
    assert index.ntotal == 0 and index.nprobe == 8
    assert_array_equal(index._index.centres.packed, before.packed)
    index.add(x[:2])
    assert 0 in index.range_search(x[:1], 1)[2]


@pytest.mark.parametrize(("n_bytes", "b"), [(1, 1), (1, 8), (2, 9), (8, 20), (9, 64)])
@pytest.mark.parametrize("nflip", [0, 1, 2])
def test_hash_finds_what_differs_little_in_the_first_bits(n_bytes, b, nflip):
    rng = np.random.default_rng(b)
    x, queries = clustered(rng, 600, n_bytes), clustered(rng, 7, n_bytes)
    index = IndexBinaryHash(8 * n_bytes, b)
    index.nflip = nflip
    index.add(x)
    first = [np.unpackbits(codes, axis=1, bitorder="little")[:, :b] for codes in (queries, x)]
    allowed = (first[0][:, None] != first[1][None]).sum(axis=2) <= nflip
    distances = bits_apart(queries, x)
    for _ in range(2):
        for k in (1, 10, 601):
            same(index.search(queries, k), best(distances, allowed, k))
        for radius in (0, 1, 2 * n_bytes, 8 * n_bytes + 1):
            same(index.range_search(queries, radius), nearer(distances, allowed, radius))
        index.reset()
        assert (index.ntotal, index.nflip, index.b) == (0, nflip, b)
        index.add_with_ids(x, np.arange(600))


@pytest.mark.parametrize(("b", "nflip"), [(8, 0), (12, 1), (20, 2)])
def test_hash_answers_as_faiss(b, nflip):
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(b)
    x, queries = clustered(rng, 500, 4), clustered(rng, 6, 4)
    ours, theirs = (library.IndexBinaryHash(32, b) for library in (faiss_style, faiss))
    for index in (ours, theirs):
        index.nflip = nflip
        index.add(x)
    for radius in (1, 6, 33):
        same_range(ours, theirs, queries, radius)
    same_search(ours, theirs, queries, 5)


@pytest.mark.parametrize(
    ("match", "call"),
    [
        ("quantizer must be an IndexBinaryFlat of 8 bits", lambda flat: IndexBinaryIVF(IndexBinaryFlat(16), 8, 2)),
        ("quantizer must be an IndexBinaryFlat", lambda flat: IndexBinaryIVF(None, 8, 2)),
        ("must be empty or hold 2 centres; got 5 codes", lambda flat: IndexBinaryIVF(flat, 8, 2)),
        ("nlist must be", lambda flat: IndexBinaryIVF(IndexBinaryFlat(8), 8, 0)),
        ("nprobe must be", lambda flat: setattr(IndexBinaryIVF(flat, 8, 5), "nprobe", 0)),
        ("nflip must be", lambda flat: setattr(IndexBinaryHash(8, 4), "nflip", -1)),
        ("multiple of 8", lambda flat: IndexBinaryHash(9, 4)),
        ("b must be", lambda flat: IndexBinaryHash(8, 0)),
        ("bits", lambda flat: IndexBinaryHash(8, 9)),
    ],
)
def test_wrong_approximate_indexes_are_refused(flat, match, call):
    with pytest.raises(InvalidInputError, match=match):
        call(flat)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("IndexBinaryMultiHash", "hammingway.MultiIndex"),
        ("IndexBinaryHNSW", "IndexBinaryIVF"),
        ("IndexBinaryFromFloat", "hammingway.SignHash"),
        ("index_binary_factory", "'BIVF9' IndexBinaryIVF(IndexBinaryFlat(d), d, 9)"),
        ("index_factory", "name the class"),
        ("write_index_binary", "which has save"),
        ("read_index_binary", "hammingway.load_index"),
        ("IDSelectorBatch", "hammingway.Filter"),
        ("nonsense", "what there is: ['IndexBinaryFlat'"),
    ],
)
def test_other_names_of_faiss_say_what_to_use(name, instead):
    with pytest.raises(AttributeError) as failure:
        getattr(faiss_style, name)
    assert f"faiss_style has no {name!r}: " in str(failure.value) and instead in str(failure.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda library, flat: flat.search(ZERO, 0),
        lambda library, flat: flat.add(CODES.astype(np.int8)),
        lambda library, flat: flat.add(CODES[0]),
        lambda library, flat: flat.search(np.zeros((1, 2), np.uint8), 1),
        lambda library, flat: flat.range_search(ZERO, 2.5),
        lambda library, flat: library.IndexBinaryFlat(9),
        lambda library, flat: library.IndexBinaryIDMap(flat),
        lambda library, flat: library.IndexBinaryIDMap(library.IndexBinaryFlat(8)).add(CODES),
        lambda library, flat: library.IndexBinaryIDMap(library.IndexBinaryFlat(8)).add_with_ids(CODES, np.arange(2)),
    ],
)
def test_what_faiss_refuses_is_refused(flat, call):
    faiss = pytest.importorskip("faiss")
    theirs = faiss.IndexBinaryFlat(8)
    theirs.add(CODES)
    with pytest.raises((AssertionError, RuntimeError, TypeError, ValueError)):
        call(faiss, theirs)
    with pytest.raises(InvalidInputError):
        call(faiss_style, flat)
