"""Asymmetric and re-ranked searches answer as NumPy does over all items, wherever these lie."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hammingway import Codes, Collection, RandomHyperplanes
from hammingway.collection import session
from hammingway.collection.limits import Limits
from hammingway.errors import FileFormatError, InvalidInputError, ShapeError

SMALL = Limits(recent_slots=30, segment_slots=600, segments_a_tier=3)
N_DIMS = 6


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setitem(session.Session.__init__.__kwdefaults__, "limits", SMALL)


class Oracle:
    """Items in the order of their ties, as rows of arrays."""

    def __init__(self, hasher, rows):
        self.hasher, self.names = hasher, list(rows)
        self.vectors = np.array([rows[name] for name in rows], float).reshape(-1, N_DIMS)

    def hamming(self, queries):
        signs = self.hasher.project(queries) > 0
        return (signs[:, None, :] != (self.hasher.project(self.vectors) > 0)[None]).sum(axis=2)

    def scores(self, queries, query_bits):
        scores = self.hasher.project(queries).astype(float)
        units = np.abs(scores).max(axis=1, keepdims=True) / (2 ** (query_bits - 1) - 1)
        weights = np.rint(scores / units)
        signs = np.where(self.hasher.project(self.vectors) > 0, 1, -1)
        return weights @ signs.T * units

    def distances(self, queries, metric):
        products = queries @ self.vectors.T
        if metric == "inner-product":
            return -products
        if metric == "euclidean":
            return np.sqrt(((queries[:, None] - self.vectors[None]) ** 2).sum(axis=2))
        norms = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(self.vectors, axis=1)
        return 1 - np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)


def first(ranks, k):
    """Return the places of the k smallest, ties in the order of the places."""
    return np.argsort(np.round(ranks, 9), axis=1, kind="stable")[:, :k]


def grown(path, hasher, *, id_type, originals="float32", metadata=True):
    """Return a collection with segments, dead places, replaced items and recent writes, and its rows."""
    rng = np.random.default_rng(5)
    collection = Collection.create(path, encoder=hasher, id_type=id_type, originals=originals)
    rows = {}

    def put(numbers, change):
        X = rng.integers(-9, 10, (len(numbers), N_DIMS))
        ids = [f"n{i}" for i in numbers] if id_type == "string" else numbers
        fields = [{"even": i % 2 == 0} for i in numbers] if metadata else None
        change(X, ids=ids, metadata=fields)
        rows.update(zip(ids, X, strict=True))

    for start in range(0, 200, 25):
        put(list(range(start, start + 25)), collection.add)
    gone = list(rows)[3:150:7]
    collection.delete(gone)
    for name in gone:
        del rows[name]
    put([7, 8, 9, 150], collection.upsert)
    put([500, 400], collection.add)
    if id_type == "integer":
        rows = dict(sorted(rows.items()))
    return collection, rows


@pytest.fixture(params=[1, 7, 8, 9, 63, 64, 65])
def hasher(request):
    X = np.random.default_rng(0).normal(size=(50, N_DIMS))
    return RandomHyperplanes(request.param, random_state=0).fit(X)


QUERIES = np.random.default_rng(1).integers(-9, 10, (4, N_DIMS)).astype(float)


@pytest.mark.parametrize("id_type", ["integer", "string"])
def test_asymmetric_search_is_the_oracles(tmp_path, hasher, id_type):
    collection, rows = grown(tmp_path / "c", hasher, id_type=id_type)
    oracle = Oracle(hasher, rows)
    with collection:
        assert collection.stats().n_recent and collection.stats().n_segments > 1 and collection.stats().n_dead
        for _ in range(2):
            for k, query_bits in product((1, 10, len(rows) + 2), (4, 8)):
                scores = oracle.scores(QUERIES, query_bits)
                found = collection.search(QUERIES, k, query_bits=query_bits)
                best = first(-scores, k)
                fill = [None if id_type == "string" else -1] * (k - best.shape[1])
                assert found.ids.tolist() == [[oracle.names[i] for i in row] + fill for row in best]
                expected = np.take_along_axis(scores, best, axis=1)
                assert np.allclose(found.scores[:, : best.shape[1]], expected)
                assert np.all(found.scores[:, best.shape[1] :] == -np.inf)
            collection.compact()


@pytest.mark.parametrize(("id_type", "originals"), [("integer", "float32"), ("string", "float16"), ("integer", "int8")])
def test_reranked_search_is_the_oracles(tmp_path, id_type, originals):
    hasher = RandomHyperplanes(33, random_state=0).fit(np.random.default_rng(0).normal(size=(50, N_DIMS)))
    collection, rows = grown(tmp_path / "c", hasher, id_type=id_type, originals=originals)
    oracle = Oracle(hasher, rows)
    depths = [(20, 5), (7, 7), (len(rows) + 5, len(rows) + 2)]
    with collection:
        for metric, query_bits, (depth, k) in product(["cosine", "inner-product", "euclidean"], [None, 8], depths):
            ranks = oracle.hamming(QUERIES) if query_bits is None else -oracle.scores(QUERIES, query_bits)
            distances = oracle.distances(QUERIES, metric)
            candidates = np.sort(first(ranks, depth), axis=1)
            of_candidates = np.take_along_axis(distances, candidates, axis=1)
            order = first(of_candidates, k)
            best = np.take_along_axis(candidates, order, axis=1)
            found = collection.search(QUERIES, k, rerank=depth, query_bits=query_bits, metric=metric)
            fill = [None if id_type == "string" else -1] * (k - best.shape[1])
            assert found.ids.tolist() == [[oracle.names[i] for i in row] + fill for row in best]
            expected = np.take_along_axis(of_candidates, order, axis=1)
            assert np.allclose(found.distances[:, : best.shape[1]], expected)
            assert np.all(found.distances[:, best.shape[1] :] == np.inf)


@pytest.mark.parametrize("options", [{"query_bits": 8}, {"rerank": 300}, {"query_bits": 4, "rerank": 300}])
def test_filter_is_applied_before_items_are_ranked(tmp_path, options):
    hasher = RandomHyperplanes(33, random_state=0).fit(np.random.default_rng(0).normal(size=(50, N_DIMS)))
    collection, rows = grown(tmp_path / "c", hasher, id_type="integer")
    even = {name: row for name, row in rows.items() if name % 2 == 0}
    with collection:
        found = collection.search(QUERIES, 300, where={"even": True}, **options)
        assert [sorted(row[row >= 0].tolist()) for row in found.ids] == [sorted(even)] * len(QUERIES)
        oracle = Oracle(hasher, even)
        ranks = oracle.distances(QUERIES, "cosine") if "rerank" in options else -oracle.scores(QUERIES, 8)
        assert found.ids[:, :9].tolist() == [[oracle.names[i] for i in row] for row in first(ranks, 9)]


def test_codes_are_reranked_by_vectors_beside_them(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3)).astype(np.float32)
    codes = Codes.from_scores(X)
    with Collection.create(tmp_path / "c", n_bits=3, originals="float32") as collection:
        empty = collection.search(codes[:2], 2, rerank=5, vectors=X[:2])
        assert empty.ids.tolist() == [[-1, -1]] * 2 and np.all(empty.distances == np.inf)
        collection.add(codes, vectors=X)
        found = collection.search(codes[:7], 1, rerank=90, vectors=X[:7], metric="euclidean")
        assert found.ids.ravel().tolist() == list(range(7)) and np.all(found.distances == 0)
        assert len(collection.search(codes[:0], 2, rerank=5, vectors=X[:0])) == 0


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: c.search(Codes.from_bits([[1] * 9]), 1, query_bits=8), "hand over vectors"),
        (lambda c: c.search(Codes.from_bits([[1] * 9]), 1, rerank=5), "needs the queries' vectors"),
        (lambda c: c.search(QUERIES, 1, query_bits=5), "query_bits must be 4 or 8"),
        (lambda c: c.search(QUERIES, 6, rerank=5), "from k=6; got 5"),
        (lambda c: c.search(QUERIES, 6, rerank=True), "from k=6; got True"),
        (lambda c: c.search(QUERIES, 1, rerank=5, metric="cosin"), "metric must be one of"),
        (lambda c: c.search(QUERIES, 1, vectors=QUERIES), "for rerank="),
    ],
)
def test_what_cannot_be_asked_is_said(tmp_path, ask, message):
    hasher = RandomHyperplanes(9, random_state=0).fit(QUERIES)
    with Collection.create(tmp_path / "c", encoder=hasher, originals="float32") as collection:
        collection.add(QUERIES)
        with pytest.raises(InvalidInputError, match=message):
            ask(collection)


def test_collection_without_what_is_needed_says_so(tmp_path):
    codes = Codes.from_bits([[1, 0, 1]])
    with Collection.create(tmp_path / "c", n_bits=3) as collection:
        collection.add(codes)
        with pytest.raises(InvalidInputError, match="created with encoder=hasher"):
            collection.search([[1.0, 2.0]], 1, query_bits=8)
        with pytest.raises(InvalidInputError, match="keeps no vectors to re-rank by"):
            collection.search(codes, 1, rerank=1, vectors=[[1.0]])
    with Collection.create(tmp_path / "d", n_bits=3, originals="float32") as collection:
        collection.add(codes, vectors=[[1.0, 2.0]])
        with pytest.raises(ShapeError, match=r"\(n_queries, 2\)"):
            collection.search(codes, 1, rerank=1, vectors=[[1.0]])


def test_damaged_originals_are_named_before_they_rank(tmp_path):
    hasher = RandomHyperplanes(9, random_state=0).fit(QUERIES)
    with Collection.create(tmp_path / "c", encoder=hasher, originals="float32") as collection:
        collection.add(QUERIES)
        collection.compact()
    (file,) = (tmp_path / "c" / "segments").glob("*.originals.npy")
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with Collection.open(tmp_path / "c", read_only=True) as collection:
        assert collection.search(QUERIES[:1], 1).ids.tolist() == [[0]]
        with pytest.raises(FileFormatError, match=rf"{file.name} is damaged"):
            collection.search(QUERIES[:1], 1, rerank=2)


@pytest.mark.parametrize("query_bits", [None, 8])
def test_more_candidates_than_items_take_no_more_room(tmp_path, query_bits):
    hasher = RandomHyperplanes(8, random_state=0).fit(QUERIES)
    collection, rows = grown(tmp_path / "c", hasher, id_type="integer")
    with collection:
        all_items = collection.search(QUERIES, 5, rerank=len(rows), query_bits=query_bits)
        found = collection.search(QUERIES, 5, rerank=1 << 62, query_bits=query_bits)
        assert np.array_equal(found.ids, all_items.ids) and np.array_equal(found.distances, all_items.distances)
        wide = collection.search(QUERIES, len(rows) + 3, rerank=1 << 62, query_bits=query_bits)
        assert np.all(wide.ids[:, len(rows) :] == -1) and np.all(wide.ids[:, : len(rows)] >= 0)
