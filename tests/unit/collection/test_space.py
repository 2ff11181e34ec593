"""What deleted and replaced items took on disk is given back by compact, safely."""

from __future__ import annotations

import resource
import sqlite3
import threading

import numpy as np
import pytest

from hammingway import Codes, Collection
from hammingway.collection.database import Database

N = 3000
CODES = Codes.from_bits(np.random.default_rng(0).integers(0, 2, (N, 64)))
METADATA = [{"number": i, "text": f"{i:05}" * 200} for i in range(N)]


def filled(path, id_type="string"):
    """Return an open collection of N items with 1000 characters of metadata each, and their ids."""
    collection = Collection.create(path, n_bits=64, id_type=id_type, originals="float32")
    ids = [f"item {i}" for i in range(N)] if id_type == "string" else list(range(N))
    collection.add(CODES, ids=ids, metadata=METADATA, vectors=np.ones((N, 4)))
    collection.compact()
    return collection, ids


def pages(path):
    """Return free pages and all pages of the database file."""
    connection = sqlite3.connect(path / "collection.db")
    try:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count")]
    finally:
        connection.close()


@pytest.mark.parametrize("id_type", ["integer", "string"])
@pytest.mark.parametrize("chosen", [slice(0, 2400), slice(0, None, 2)], ids=["neighbours", "every other"])
def test_compact_gives_back_segments_and_pages_of_deleted_items(tmp_path, id_type, chosen):
    collection, ids = filled(tmp_path / "c", id_type)
    with collection:
        full = collection.stats().disk_bytes
        gone = ids[chosen]
        collection.delete(gone)
        collection.compact()
        kept = [i for i in range(N) if ids[i] not in set(gone)]
        share = len(kept) / N
        assert collection.stats().disk_bytes < (share + 0.1) * full
        assert pages(tmp_path / "c")[0] == 0
        items = collection.get([ids[i] for i in kept])
        assert items.metadata == [METADATA[i] for i in kept]
        assert np.array_equal(items.codes.packed, CODES.packed[kept])
        assert collection.verify() == []
        assert collection.stats().n_segments == len(list((tmp_path / "c" / "segments").glob("*.planes.npy"))) == 1


def test_compact_leaves_a_dense_database_as_it_is(tmp_path, monkeypatch):
    collection, ids = filled(tmp_path / "c")
    with collection:
        collection.delete(ids[:100])
        monkeypatch.setattr(Database, "rewrite", lambda database: pytest.fail("3 % of the rows are not worth it"))
        collection.compact()


def test_readers_and_searching_threads_go_on_while_pages_are_given_back(tmp_path):
    collection, ids = filled(tmp_path / "c")
    stop, wrong, done = threading.Event(), [], []

    def search():
        while not stop.is_set():
            found = collection.search(CODES[-1:], 1, where={"number": N - 1})
            if found.ids.tolist() != [[ids[-1]]]:
                wrong.append(found.ids)
            done.append(1)

    with collection, Collection.open(tmp_path / "c", read_only=True) as reader:
        thread = threading.Thread(target=search)
        thread.start()
        collection.delete(ids[: N // 2])
        collection.compact()
        assert len(reader) == N and reader.get(ids[:9]).metadata == METADATA[:9]
        reader.refresh()
        assert len(reader) == N // 2 and reader.get(ids[-9:]).metadata == METADATA[-9:]
        stop.set()
        thread.join()
    assert wrong == [] and done
    with Collection.open(tmp_path / "c") as collection:
        collection.compact()
        assert pages(tmp_path / "c")[0] == 0 and collection.verify() == []


def test_full_disk_while_pages_are_given_back_costs_nothing(tmp_path):
    collection, ids = filled(tmp_path / "c")
    with collection:
        collection.delete(ids[: N // 2])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(OSError, match=r"collection\.db"):
                collection.compact()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len(collection) == N // 2 and collection.verify() == []
        assert collection.get(ids[N // 2 :]).metadata == METADATA[N // 2 :]
        full = collection.stats().disk_bytes
        collection.compact()
        assert collection.stats().disk_bytes < 0.8 * full and pages(tmp_path / "c")[0] == 0
