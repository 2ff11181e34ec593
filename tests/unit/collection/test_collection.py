"""A collection answers as a dictionary of rows would, whatever happened to it before."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hammingway import Codes, Collection, RandomHyperplanes
from hammingway.code_files import StoredCodes
from hammingway.collection import session
from hammingway.collection.limits import Limits
from hammingway.errors import (
    CodeWidthError,
    CollectionLockedError,
    FileFormatError,
    InvalidInputError,
    ShapeError,
)

WIDTHS = [1, 7, 8, 9, 63, 64, 65]
SMALL = Limits(recent_slots=20, segment_slots=600, segments_a_tier=3)


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setitem(session.Session.__init__.__kwdefaults__, "limits", SMALL)


def random_codes(rng, n, n_bits):
    return Codes.from_bits(rng.integers(0, 2, (n, n_bits)))


def expected(rows, query, k):
    """The oracle: sort all (distance, rank of the id) pairs; ``rows`` is {id: bits} in tie order."""
    ranked = sorted((int((bits != query).sum()), i, name) for i, (name, bits) in enumerate(rows.items()))
    return [(distance, name) for distance, _, name in ranked[:k]]


def check_search(collection, rows, queries, k):
    found = collection.search(queries, k)
    for ids, distances, query in zip(found.ids.tolist(), found.distances.tolist(), queries.unpack(), strict=True):
        best = expected(rows, query, k)
        fill = [(collection.n_bits + 1, None if collection.id_type == "string" else -1)] * (k - len(best))
        assert list(zip(distances, ids, strict=True)) == best + fill


def check_radius(collection, rows, queries, radius):
    found = collection.search_radius(queries, radius)
    for (ids, distances), query in zip(found, queries.unpack(), strict=True):
        best = [pair for pair in expected(rows, query, len(rows)) if pair[0] <= radius]
        assert list(zip(distances.tolist(), ids.tolist(), strict=True)) == best


@pytest.mark.parametrize("n_bits", WIDTHS)
@pytest.mark.usefixtures("small_segments")
def test_search_is_the_oracles_after_adds_deletes_upserts_compact_and_reopening(tmp_path, n_bits):
    rng = np.random.default_rng(n_bits)
    rows: dict[int, np.ndarray] = {}
    queries = random_codes(rng, 5, n_bits)
    path = tmp_path / "c"
    collection = Collection.create(path, n_bits=n_bits)
    for step, n in enumerate([1, 3, 30, 0, 700, 9, 25, 40]):
        codes = random_codes(rng, n, n_bits)
        chosen = None if step % 2 else rng.permutation(5 * n)[:n] + 10_000 * step
        ids = collection.add(codes, ids=chosen)
        rows.update(zip(ids.tolist(), codes.unpack(), strict=True))
        gone = rng.permutation(list(rows))[: len(rows) // 5]
        assert collection.delete(gone) == len(gone)
        rows = {key: rows[key] for key in sorted(rows.keys() - set(gone.tolist()))}
        changed = rng.permutation(list({*rows, 90_000 + step}))[: len(rows) // 3 + 1]
        codes = random_codes(rng, len(changed), n_bits)
        collection.upsert(codes, ids=changed)
        rows.update(zip(changed.tolist(), codes.unpack(), strict=True))
        rows = dict(sorted(rows.items()))
        if step == 5:
            collection.compact()
            assert collection.stats().n_dead == 0
        if step in (3, 6):
            collection.close()
            collection = Collection.open(path)
        assert len(collection) == len(rows)
        for k in (1, 4, len(rows) + 2):
            check_search(collection, rows, queries, k)
        check_radius(collection, rows, queries, n_bits // 2)
    assert collection.verify() == []
    items = collection.get(list(rows))
    assert np.array_equal(items.codes.unpack(), np.array(list(rows.values())))
    collection.close()


@pytest.mark.usefixtures("small_segments")
def test_string_ids_tie_in_the_order_of_their_first_addition(tmp_path):
    with Collection.create(tmp_path / "c", n_bits=9, id_type="string") as collection:
        names = [f"n{i * 7919 % 100:03}" for i in range(100)]
        same = Codes.from_bits(np.zeros((100, 9), int))
        assert collection.add(same, ids=names).tolist() == names
        collection.upsert(same[:3], ids=[names[50], "new", names[2]])
        collection.delete([names[0], names[1], names[0]])
        order = [*names[2:], "new"]
        found = collection.search(same[:1], 120)
        assert found.ids[0].tolist() == order + [None] * 21
        collection.compact()
        check_radius(collection, dict.fromkeys(order, np.zeros(9, bool)), same[:2], 0)
        assert collection.get(["new", names[9]]).ids.tolist() == ["new", names[9]]
        assert "new" in collection and names[0] not in collection and 3 not in collection
        assert collection.verify() == []


def test_all_is_there_after_reopening(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 6)).astype(np.float32)
    hasher = RandomHyperplanes(16, random_state=0).fit(X)
    metadata = [{"n": i, "text": "é\u0000"} if i % 2 else None for i in range(50)]
    with Collection.create(tmp_path / "c", encoder=hasher, originals="float16") as collection:
        collection.add(X, metadata=metadata)
        collection.compact()
        collection.add(X[:5] * 2)
    with Collection.open(tmp_path / "c", read_only=True) as collection:
        items = collection.get([54, 0, 3])
        assert items.metadata == [{}, {}, {"n": 3, "text": "é\u0000"}]
        assert np.array_equal(items.vectors, np.stack([X[4] * 2, X[0], X[3]]).astype(np.float16))
        assert np.array_equal(items.codes.packed, hasher.encode(np.stack([X[4], X[0], X[3]])).packed)
        assert collection.search(X[7:8], 1).distances[0, 0] == 0
        assert collection.encoder_fingerprint == hasher.fingerprint() == collection.encoder.fingerprint()


def test_codes_and_queries_of_another_encoder_or_width_are_refused(tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 6))
    own, other = (RandomHyperplanes(16, random_state=seed).fit(X) for seed in (0, 1))
    with Collection.create(tmp_path / "c", encoder=own) as collection:
        foreign = StoredCodes(other.encode(X), other.fingerprint(), None)
        for attempt in (lambda: collection.add(foreign), lambda: collection.search(foreign, 3)):
            with pytest.raises(InvalidInputError, match=f"of encoder {other.fingerprint()}"):
                attempt()
        with pytest.raises(CodeWidthError):
            collection.add(Codes.from_bits(np.zeros((1, 15), int)))
        with pytest.raises(CodeWidthError):
            collection.search_radius(Codes.from_bits(np.zeros((1, 17), int)), 3)
        with pytest.raises(ShapeError):
            collection.search(X[:, :5], 1)
        assert collection.add(StoredCodes(own.encode(X), own.fingerprint(), np.arange(5, 25))).tolist()[0] == 5
    with Collection.create(tmp_path / "d", n_bits=16, encoder=own.fingerprint()) as collection:
        with pytest.raises(InvalidInputError, match="stores no encoder"):
            collection.add(X)
        collection.add(StoredCodes(own.encode(X), own.fingerprint(), None))
        with pytest.raises(InvalidInputError, match="of encoder"):
            collection.search(foreign, 1)


BAD = [
    (lambda c, x: c.add(x, ids=[1, 1]), "distinct"),
    (lambda c, x: c.add(x, ids=[5, -1]), "from 0"),
    (lambda c, x: c.add(x, ids=[5]), "2 codes need 2 ids"),
    (lambda c, x: c.add(x, ids=[0, 7]), "id 0 already in the collection"),
    (lambda c, x: c.add(x, ids=["a", "b"]), "integers"),
    (lambda c, x: (c.add(x, ids=[7, 2**63 - 1]), c.add(x)), "no 2 ids are left"),
    (lambda c, x: c.add(x, metadata=[{"a": 1}]), "2 items need 2 dicts"),
    (lambda c, x: c.add(x, metadata={"a": 1}), "must be a list of dicts, one an item.*got dict"),
    (lambda c, x: c.add(x, metadata=7), "must be a list of dicts.*got int"),
    (lambda c, x: c.add(x, metadata=[{"a": float("nan")}, None]), "JSON"),
    (lambda c, x: c.add(x, metadata=[{"a": {1}}, None]), "JSON"),
    (lambda c, x: c.add(x, metadata=[{1: 2}, None]), "text keys"),
    (lambda c, x: c.add(x, metadata=[{"a": "x" * 70_000}, None]), "65536 characters"),
    (lambda c, x: c.add(x, vectors=np.ones((2, 3))), "keeps no vectors"),
    (lambda c, x: c.delete([0, 9]), "id 9 not in the collection"),
    (lambda c, x: c.get([9]), "id 9 not in the collection"),
    (lambda c, x: c.search(x, 0), "k must be"),
    (lambda c, x: c.search_radius(x, -1), "radius must be"),
    (lambda c, x: c.search(x, 1, where={"a": {"$foo": 1}}), "not an operator"),
    (lambda c, x: Collection.create(c._session.folder.path, n_bits=8), "exists already"),
    (lambda c, x: Collection.create("nowhere", n_bits=8, id_type="int"), "'integer', 'string'"),
    (lambda c, x: Collection.create("nowhere", n_bits=8, originals="float64"), "'float16'"),
    (lambda c, x: Collection.create("nowhere"), "n_bits must be"),
]


@pytest.mark.parametrize(("attempt", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_done_is_said_and_changes_nothing(tmp_path, attempt, message):
    x = Codes.from_bits(np.eye(8, dtype=int)[:2])
    with Collection.create(tmp_path / "c", n_bits=8) as collection:
        collection.add(x[[1]], metadata=[{"a": 2}])
        with pytest.raises(InvalidInputError, match=message):
            attempt(collection, x)
        rows = dict(enumerate(x.unpack()[1:]))
        rows.update({7: x.unpack()[0], 2**63 - 1: x.unpack()[1]} if "left" in message else {})
        check_search(collection, rows, x, 3)
        assert collection.get([0]).metadata == [{"a": 2}]


NAMES = [["a"], ["a", "a"], ["a", ""], ["a", 3], ["a", "\ud800"], ["a", "\0"], ["a", "x" * 1001], "ab", None]
NAMES += [np.array("ab"), np.array([["a"], ["b"]]), np.array([1, 2]), np.array(["a", ""]), [b"a", "b"]]


@pytest.mark.parametrize("ids", NAMES, ids=lambda ids: repr(ids)[:20])
def test_string_ids_that_cannot_be_are_refused(tmp_path, ids):
    with Collection.create(tmp_path / "c", n_bits=8, id_type="string") as collection:
        with pytest.raises(InvalidInputError):
            collection.add(Codes.from_bits(np.eye(8, dtype=int)[:2]), ids=ids)
        assert len(collection) == 0 and collection.verify() == []


@pytest.mark.parametrize("ids", [("é", "b"), np.array(["é", "b"]), [np.str_("é"), "b"], np.array(["é", "b"], object)])
def test_string_ids_come_in_any_sequence(tmp_path, ids):
    codes = Codes.from_bits(np.eye(8, dtype=int)[:2])
    with Collection.create(tmp_path / "c", n_bits=8, id_type="string") as collection:
        assert collection.add(codes, ids=ids).tolist() == ["é", "b"]
        assert collection.search(codes, 1).ids.tolist() == [["é"], ["b"]] and collection.get(ids).ids.tolist() == [
            "é",
            "b",
        ]


@pytest.mark.parametrize(
    ("dtype", "vectors"),
    [
        ("int8", np.full((1, 3), 0.5)),
        ("int8", np.full((1, 3), 128)),
        ("float16", np.full((1, 3), 1e6)),
        ("float32", np.full((1, 3), np.nan)),
        ("float32", np.ones((1, 4))),
        ("float32", np.ones((2, 3))),
        ("float32", np.array([["a", "b", "c"]])),
        ("float32", None),
    ],
)
def test_vectors_that_cannot_be_kept_are_refused(tmp_path, dtype, vectors):
    code = Codes.from_bits([[1, 0]])
    with Collection.create(tmp_path / "c", n_bits=2, originals=dtype) as collection:
        collection.add(code, vectors=np.array([[1, -2, 3]]))
        with pytest.raises(InvalidInputError):
            collection.add(code, vectors=vectors)
        assert collection.get([0]).vectors.tolist() == [[1, -2, 3]]
        assert collection.get([0]).vectors.dtype == dtype


def test_second_writer_is_refused_and_readers_keep_their_snapshot(tmp_path):
    code = Codes.from_bits([[1, 0, 1]])
    with Collection.create(tmp_path / "c", n_bits=3, id_type="string") as writer:
        with pytest.raises(CollectionLockedError, match="open for writing elsewhere"):
            Collection.open(tmp_path / "c")
        writer.add(code, ids=["a"], metadata=[{"x": 1}])
        with Collection.open(tmp_path / "c", read_only=True) as reader:
            writer.upsert(code, ids=["b"], metadata=[{"x": 1}])
            writer.delete(["a"])
            writer.compact()
            for where in (None, {"x": 1}):
                assert reader.search(code, 2, where=where).ids.tolist() == [["a", None]]
            assert reader.get(["a"]).metadata == [{"x": 1}]
            with pytest.raises(InvalidInputError, match="read_only=True"):
                reader.add(code, ids=["c"])
            reader.refresh()
            assert reader.search(code, 2, where={"x": 1}).ids.tolist() == [["b", None]]
    Collection.open(tmp_path / "c").close()


@pytest.mark.usefixtures("small_segments")
def test_threads_that_search_see_whole_operations(tmp_path):
    n, codes = 30, Codes.from_bits(np.zeros((30, 8), int))
    names = [f"item {i}" for i in range(n)]
    ones = np.ones((n, 2))
    with Collection.create(tmp_path / "c", n_bits=8, id_type="string", originals="float16") as collection:
        collection.add(codes, ids=names, metadata=[{"version": 0}] * n, vectors=ones)
        stop, wrong, done = threading.Event(), [], []

        def search():
            while not stop.is_set():
                found = collection.search(codes[:1], n + 5)
                again = collection.search(codes[:1], n, rerank=n, vectors=np.ones((1, 2)), metric="euclidean")
                if again.ids[0].tolist() != names or again.distances.max() > 0:
                    wrong.append(again)
                version = collection.get(names).metadata
                if found.ids[0].tolist() != names + [None] * 5 or len({each["version"] for each in version}) != 1:
                    wrong.append((found.ids, version))
                done.append(1)

        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        for version in range(1, 25):
            collection.upsert(codes, ids=names, metadata=[{"version": version}] * n, vectors=ones)
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == [] and len(done) > 10


def test_collection_of_a_newer_format_is_refused(tmp_path):
    Collection.create(tmp_path / "c", n_bits=8).close()
    import sqlite3

    from hammingway.collection.database import Folder
    from hammingway.collection.records import mark

    connection = sqlite3.connect(Folder(tmp_path / "c").database)
    body = json.dumps({"format_version": 3, "surprise": 1})
    connection.execute("UPDATE manifest SET body = ?, mark = ?", (body, mark(1, body)))
    connection.commit()
    connection.close()
    with pytest.raises(FileFormatError, match=r"format version 3; .* reads up to 2"):
        Collection.open(tmp_path / "c")


def test_what_is_no_collection_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such collection"):
        Collection.open(tmp_path / "c")
    with pytest.raises(FileFormatError, match="not a collection"):
        Collection.open(tmp_path)


@settings(max_examples=25)
@given(st.data())
def test_any_sequence_of_operations_gives_what_a_dictionary_would(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "c"
    rng = np.random.default_rng(0)
    rows: dict[int, np.ndarray] = {}
    collection = Collection(session.Session(_created(path), read_only=False, limits=SMALL))
    try:
        for step in data.draw(st.lists(st.sampled_from(["put", "delete", "compact", "reopen"]), max_size=12)):
            if step == "put":
                ids = data.draw(st.lists(st.integers(0, 60), unique=True, max_size=30))
                codes = random_codes(rng, len(ids), 5)
                collection.upsert(codes, ids=ids)
                rows.update(zip(ids, codes.unpack(), strict=True))
            elif step == "delete" and rows:
                ids = data.draw(st.lists(st.sampled_from(sorted(rows)), max_size=20))
                collection.delete(ids)
                rows = {key: row for key, row in rows.items() if key not in ids}
            elif step == "compact":
                collection.compact()
            elif step == "reopen":
                collection.close()
                collection = Collection(session.Session(collection._session.folder, read_only=False, limits=SMALL))
        check_search(collection, dict(sorted(rows.items())), random_codes(rng, 3, 5), 40)
        assert collection.verify() == []
    finally:
        collection.close()


def _created(path):
    collection = Collection.create(path, n_bits=5)
    collection.close()
    return collection._session.folder


def test_collection_emptied_and_compacted_takes_new_items_under_new_ids(tmp_path):
    code = Codes.from_bits([[1, 0, 1]])
    with Collection.create(tmp_path / "c", n_bits=3, originals="float32") as collection:
        collection.add(code, vectors=[[1.5, 2]])
        collection.compact()
        assert collection.delete([0]) == 1
        collection.compact()
        stats = collection.stats()
        assert (stats.n_items, stats.n_segments, stats.n_dead, stats.n_recent) == (0, 0, 0, 0)
        assert collection.search(code, 2).ids.tolist() == [[-1, -1]]
        assert collection.search_radius(code, 3).counts.tolist() == [0]
        assert collection.add(code, vectors=[[3, 4]]).tolist() == [1]
        assert len(collection.get([]).codes) == 0 and collection.get([]).vectors.shape == (0, 2)
        assert len(collection.search(code[:0], 2)) == 0
        assert list((tmp_path / "c" / "segments").iterdir()) == []


def test_files_that_no_operation_named_are_removed_by_the_next_writer(tmp_path):
    Collection.create(tmp_path / "c", n_bits=3).close()
    (tmp_path / "c" / "segments" / "00000000.planes.npy").write_bytes(b"half a segment")
    Collection.open(tmp_path / "c", read_only=True).close()
    assert len(list((tmp_path / "c" / "segments").iterdir())) == 1
    with Collection.open(tmp_path / "c") as collection:
        assert list((tmp_path / "c" / "segments").iterdir()) == []
        collection.add(Codes.from_bits([[1, 0, 1]]))
        collection.compact()
        assert collection.verify() == []


def test_interrupt_between_commit_and_snapshot_loses_nothing(tmp_path, monkeypatch):
    code = Codes.from_bits([[1, 0, 1]])
    with Collection.create(tmp_path / "c", n_bits=3) as collection:
        holder = collection._session
        real = type(holder.database).transaction

        def interrupted(database, publish, undo):
            return real(database, lambda: (_ for _ in ()).throw(KeyboardInterrupt), undo)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(type(holder.database), "transaction", interrupted)
            collection.add(code)
        assert collection.add(code).tolist() == [1]
        assert collection.search(code, 3).ids.tolist() == [[0, 1, -1]]


@pytest.mark.parametrize("n_bits", [1, 64, 100])
def test_search_is_the_same_on_any_number_of_threads(tmp_path, n_bits):
    codes = random_codes(np.random.default_rng(0), 3000, n_bits)
    Collection.create(tmp_path / "c", n_bits=n_bits).close()
    with Collection.open(tmp_path / "c", n_threads=1) as one:
        one.add(codes[:2500])
        one.compact()
        one.add(codes[2500:])
        alone = one.search(codes[:9], 70)
    with Collection.open(tmp_path / "c", n_threads=3) as three:
        together = three.search(codes[:9], 70)
    assert np.array_equal(alone.ids, together.ids) and np.array_equal(alone.distances, together.distances)


def nested(depth):
    return {"a": nested(depth - 1)} if depth > 1 else {}


def test_metadata_nest_as_deep_as_json_is_read_everywhere(tmp_path):
    with Collection.create(tmp_path / "c", n_bits=8) as collection:
        code = Codes.from_bits(np.zeros((1, 8), int))
        wide = {"list": [[], {}] * 300}
        collection.add(code, metadata=[nested(256)])
        collection.add(code, metadata=[wide])
        for fields in (nested(257), {"a": json.loads("[" * 256 + "]" * 256)}, nested(900)):
            with pytest.raises(InvalidInputError, match=r"256 levels deep; got fields \['a'\]"):
                collection.add(code, metadata=[fields])
        assert collection.get([0, 1]).metadata == [nested(256), wide]
        assert collection.search(code, 3, where={"list": {"$exists": True}}).ids.tolist() == [[1, -1, -1]]


def test_metadata_that_cannot_be_printed_are_refused_all_the_same(tmp_path):
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with Collection.create(tmp_path / "c", n_bits=8) as collection:
        for fields in (deep, {"a": 10**5000}):
            with pytest.raises(InvalidInputError, match=r"must be JSON.*got fields"):
                collection.add(Codes.from_bits(np.zeros((1, 8), int)), metadata=[fields])
        assert len(collection) == 0


def test_collection_stays_where_it_is_when_the_program_changes_its_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    codes = Codes.from_bits(np.zeros((20_000, 8), int))
    with Collection.create("c", n_bits=8) as collection:
        monkeypatch.chdir("elsewhere")
        collection.add(codes)
        assert collection.search(codes[:1], 1).ids.tolist() == [[0]]
        collection.delete([0])
        collection.compact()
        assert collection.verify() == []
    assert not any(Path().iterdir())
    with Collection.open(tmp_path / "c") as collection:
        assert len(collection) == 19_999


@pytest.mark.parametrize("read_only", [False, True])
def test_closed_collection_says_so(tmp_path, read_only):
    codes = Codes.from_bits(np.zeros((2, 8), int))
    with Collection.create(tmp_path / "c", n_bits=8) as collection:
        collection.add(codes)
    collection = Collection.open(tmp_path / "c", read_only=read_only)
    collection.close()
    collection.close()
    for use in (
        lambda: collection.search(codes, 1),
        lambda: collection.search_radius(codes, 1),
        lambda: collection.get([0]),
        lambda: collection.add(codes),
        lambda: collection.delete([0]),
        collection.compact,
        collection.refresh,
        collection.verify,
    ):
        with pytest.raises(InvalidInputError, match="is closed; open the collection again"):
            use()


@pytest.fixture
def public_folder():
    """A folder that a user without rights may enter: pytest's own ones are private."""
    with tempfile.TemporaryDirectory(prefix="d%20 ?é#") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def without_rights():
    """Let a block run as a user who may not write what others own."""

    @contextmanager
    def run():
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if is_root:
                os.seteuid(0)

    return run


def test_collection_in_a_folder_that_cannot_be_written_is_read(public_folder, without_rights):
    path = public_folder / "c"
    codes = Codes.from_bits(np.eye(8, dtype=int))
    with Collection.create(path, n_bits=8) as collection:
        collection.add(codes, metadata=[{"i": i} for i in range(8)])
    path.chmod(0o555)
    try:
        with without_rights(), Collection.open(path, read_only=True) as reader:
            assert reader.search(codes[3:4], 1, where={"i": {"$gte": 3}}).ids.tolist() == [[3]]
            reader.refresh()
            assert reader.verify() == [] and len(reader) == 8
            with pytest.raises(InvalidInputError, match="read_only=True"):
                reader.delete([0])
        assert sorted(file.name for file in path.iterdir()) == ["collection.db", "segments", "writer.lock"]
    finally:
        path.chmod(0o755)


def test_reader_without_rights_and_a_writer_keep_apart_or_see_each_other(public_folder, without_rights):
    path = public_folder / "c"
    codes = Codes.from_bits(np.eye(8, dtype=int))
    with Collection.create(path, n_bits=8) as collection:
        collection.add(codes)
        path.chmod(0o555)
        if os.geteuid() == 0:  # otherwise the writer itself has lost its rights
            with without_rights():
                reader = Collection.open(path, read_only=True)
            collection.delete([0])
            reader.refresh()
            assert len(reader) == 7
            reader.close()
        path.chmod(0o755)
    path.chmod(0o555)
    with without_rights():
        reader = Collection.open(path, read_only=True)
    path.chmod(0o755)
    with pytest.raises(CollectionLockedError):
        Collection.open(path)
    reader.close()
    with Collection.open(path) as collection:
        collection.delete([1])
