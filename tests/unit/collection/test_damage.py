"""Damage is found and named: a flipped byte, a file cut short or lost, a full disk; never a wrong result."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sqlite3
from contextlib import closing, contextmanager

import numpy as np
import pytest

from hammingway import Codes, Collection, RandomHyperplanes
from hammingway.collection import session
from hammingway.collection.database import Folder
from hammingway.collection.limits import Limits
from hammingway.collection.tables import check_row
from hammingway.errors import FileFormatError

N_BITS = 70
SMALL = Limits(recent_slots=100, segment_slots=4000, segments_a_tier=4)
QUERIES = Codes.from_bits(np.random.default_rng(9).integers(0, 2, (3, N_BITS)))


def fill(collection, rng):
    X = rng.normal(size=(300, 5)).astype(np.float32)
    names = [f"n{i}" for i in range(300)]
    collection.add(X, ids=names, metadata=[{"v": i % 7} for i in range(300)])
    collection.delete(names[10:40])
    collection.add(X[:20] + 1, ids=[f"m{i}" for i in range(20)], metadata=[{"v": 3}] * 20)
    collection.delete(["m3"])
    return [*names[:10], *names[40:], *(f"m{i}" for i in range(20) if i != 3)]


def answers(path, names):
    with Collection.open(path, read_only=True) as collection:
        items = collection.get(names)
        found = collection.search(QUERIES, 400)
        chosen = collection.search_radius(QUERIES, N_BITS, where={"v": 3})
        return (
            len(collection),
            found.ids.tolist(),
            found.distances.tolist(),
            chosen.ids.tolist(),
            items.codes.packed.tolist(),
            items.metadata,
            items.vectors.tolist(),
            collection.encoder.fingerprint(),
        )


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Two copies of one collection, closed and with a full log, the names in it, and its answers."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("sound")
    hasher = RandomHyperplanes(N_BITS, random_state=0).fit(rng.normal(size=(9, 5)))
    Collection.create(folder / "c", encoder=hasher, id_type="string", originals="float32").close()
    collection = Collection(session.Session(Folder(folder / "c"), read_only=False, limits=SMALL))
    names = fill(collection, rng)
    shutil.copytree(folder / "c", folder / "log")  # as a crash would leave it
    collection.close()
    return folder, names, answers(folder / "c", names)


def positions(path, rng, n_flips):
    size = path.stat().st_size
    return np.unique(rng.integers(0, size, n_flips if size > 100 else 4)) if size else []


@pytest.mark.parametrize("n_flips", [12, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
@pytest.mark.parametrize("copy", ["c", "log"])
def test_flipped_byte_is_named_or_changes_no_answer(sound, tmp_path, copy, n_flips):
    folder, names, right = sound
    rng = np.random.default_rng(n_flips)
    n_named = 0
    for file in sorted(path for path in (folder / copy).rglob("*") if path.is_file() and path.suffix != ".db-shm"):
        for place in positions(file, rng, n_flips):
            damaged = tmp_path / "damaged"
            shutil.copytree(folder / copy, damaged)
            with (damaged / file.relative_to(folder / copy)).open("r+b") as content:
                content.seek(int(place))
                byte = content.read(1)[0]
                content.seek(int(place))
                content.write(bytes([byte ^ 1 << int(rng.integers(8))]))
            try:
                assert answers(damaged, names) == right, f"{file.name} at {place}"
            except FileFormatError as error:
                assert str(damaged) in str(error)
                n_named += 1
            shutil.rmtree(damaged)
    assert n_named > 20


@pytest.mark.parametrize("content", ["planes", "originals", "names", "name-ends", "name-hashes", "name-slots"])
def test_flipped_byte_of_a_segment_is_named_with_its_place(sound, tmp_path, content):
    folder, names, _ = sound
    shutil.copytree(folder / "c", tmp_path / "c")
    (file,) = (tmp_path / "c" / "segments").glob(f"*0.{content}.npy")
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with Collection.open(tmp_path / "c") as collection:
        with pytest.raises(FileFormatError, match=rf"{file.name} is damaged: bytes 0 to"):
            collection.search(QUERIES, 1) if content == "planes" else collection.get(names)
        (damage,) = collection.verify()
        assert file.name in damage


def test_segment_cut_short_or_lost_is_named(sound, tmp_path):
    folder, _, _ = sound
    for file in (folder / "c" / "segments").iterdir():
        path = tmp_path / file.name
        shutil.copytree(folder / "c", path)
        victim = path / "segments" / file.name
        victim.write_bytes(victim.read_bytes()[:-1])
        for read_only in (True, False):
            with pytest.raises(FileFormatError, match=rf"{file.name} is damaged: it has"):
                Collection.open(path, read_only=read_only)
        victim.unlink()
        for read_only in (True, False):
            with pytest.raises(FileFormatError, match=rf"{file.name} is missing"):
                Collection.open(path, read_only=read_only)


def test_acknowledged_operation_that_is_lost_with_the_log_is_noticed(sound, tmp_path):
    folder, _, _ = sound
    shutil.copytree(folder / "log", tmp_path / "c")
    log = tmp_path / "c" / "collection.db-wal"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    with pytest.raises(FileFormatError, match=r"operation \d+ was acknowledged, and it ends with operation \d"):
        Collection.open(tmp_path / "c")


ROWS = ["DELETE FROM recent", "DELETE FROM live", "DELETE FROM segments", "DELETE FROM manifest"]
ROWS += ["UPDATE metadata SET body = '{}' WHERE key = 3", "UPDATE recent SET first_slot = 77"]
ROWS += ["UPDATE recent SET names = NULL", "UPDATE recent SET names = CAST('x' AS BLOB)"]
ROWS += ["DELETE FROM metadata WHERE key = 3"]


@pytest.mark.parametrize("statement", ROWS)
def test_changed_or_lost_row_is_noticed(sound, tmp_path, statement):
    folder, _, right = sound
    shutil.copytree(folder / "c", tmp_path / "c")
    connection = sqlite3.connect(tmp_path / "c" / "collection.db")
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(FileFormatError, match=r"collection\.db is damaged"):
        answers(tmp_path / "c", right[1][0][:269])


@pytest.mark.parametrize("read_only", [True, False])
def test_metadata_that_were_lost_are_not_taken_for_none(tmp_path, read_only):
    with Collection.create(tmp_path / "c", n_bits=8) as collection:
        collection.add(Codes.from_bits(np.eye(8, dtype=int)), metadata=[{"i": i} if i < 7 else None for i in range(8)])
        assert collection.get([7, 6]).metadata == [{}, {"i": 6}]
    with closing(sqlite3.connect(tmp_path / "c" / "collection.db")) as connection, connection:
        connection.execute("DELETE FROM metadata WHERE key = 3")
    for asked in (3, 7):
        with Collection.open(tmp_path / "c", read_only=read_only) as collection:
            assert collection.get([2, 4]).metadata == [{"i": 2}, {"i": 4}]
            with pytest.raises(FileFormatError, match=r"collection\.db is damaged: table metadata has 6 of 7 rows"):
                collection.get([2, asked])


@contextmanager
def largest_file(size_bytes):
    """Let every write past this place of a file fail, as on a full disk, after a short one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def add_to_segment(collection, codes):
    collection.add(codes, ids=np.random.default_rng(3).permutation(len(codes)) + 1000)


def add_to_log(collection, codes):
    collection.add(codes[:50], metadata=[{"a": "x" * 9999}] * 50)


@pytest.mark.parametrize("add", [add_to_segment, add_to_log])
@pytest.mark.parametrize("room", [0, 1, 130, 2000, 30_000])
def test_full_disk_is_an_error_that_changes_nothing(tmp_path, room, add):
    codes = Codes.from_bits(np.random.default_rng(2).integers(0, 2, (9000, N_BITS)))
    Collection.create(tmp_path / "c", n_bits=N_BITS).close()
    with Collection(session.Session(Folder(tmp_path / "c"), read_only=False, limits=SMALL)) as collection:
        collection.add(codes[:150])
        collection.add(codes[150:200])
        with largest_file(room), pytest.raises(OSError, match=str(tmp_path / "c")):
            add(collection, codes)
        assert len(collection) == 200
        assert collection.search(codes[:200], 1).distances.max() == 0
    with Collection(session.Session(Folder(tmp_path / "c"), read_only=False, limits=SMALL)) as collection:
        assert len(collection) == 200 and collection.verify() == []
        collection.add(codes[200:], ids=np.arange(200, 9000))
        assert collection.search(codes[::100], 1).ids.ravel().tolist() == list(range(0, 9000, 100))


@pytest.mark.parametrize("nth", range(7))
def test_flush_that_fails_is_an_error_that_changes_nothing(tmp_path, monkeypatch, nth):
    codes = Codes.from_bits(np.random.default_rng(2).integers(0, 2, (400, N_BITS)))
    names = [f"n{i}" for i in range(400)]
    Collection.create(tmp_path / "c", n_bits=N_BITS, id_type="string", originals="float32").close()
    vectors = np.ones((400, 2))
    with Collection(session.Session(Folder(tmp_path / "c"), read_only=False, limits=SMALL)) as collection:
        collection.add(codes[:90], ids=names[:90], vectors=vectors[:90])
        real, calls = os.fsync, []

        def fsync(descriptor):
            calls.append(descriptor)
            if len(calls) == nth + 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output error"):
            patch.setattr(os, "fsync", fsync)
            collection.add(codes[90:], ids=names[90:], vectors=vectors[90:])
        assert len(calls) == nth + 1  # planes, originals, four files of names, the folder
        assert len(collection) == 90 and list((tmp_path / "c" / "segments").iterdir()) == []
        collection.add(codes[90:], ids=names[90:], vectors=vectors[90:])
        assert collection.search(codes, 1).distances.max() == 0
    with Collection.open(tmp_path / "c") as collection:
        assert len(collection) == 400 and collection.verify() == []


@pytest.mark.parametrize("key", [None, "7", 0.5, b"\0"])
def test_a_row_whose_key_is_no_number_is_damaged(tmp_path, key):
    with pytest.raises(FileFormatError, match="does not match its checksum"):
        check_row("live", key, ("0", b"bits"), 1, tmp_path)
