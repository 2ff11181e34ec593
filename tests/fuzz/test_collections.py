"""A collection on disk: whatever happens to one of its files, it is named, or every answer stays right."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.damage import SLOW, damaged, edits, examples, little_memory
from hammingway import Codes, Collection, RandomHyperplanes
from hammingway.collection import session
from hammingway.collection.database import Folder
from hammingway.collection.limits import Limits
from hammingway.collection.records import mark
from hammingway.errors import HammingwayError

pytestmark = [
    pytest.mark.timeout(14400 if SLOW else 120),
    pytest.mark.filterwarnings("ignore::hammingway.collection.UnknownFieldWarning"),
]

N_BITS = 40
QUERIES = Codes.from_bits(np.random.default_rng(9).integers(0, 2, (2, N_BITS)))
NAMES = [f"n{i}" for i in range(120)]


def fill(path: Path, *, close: bool) -> None:
    """Write a collection with segments, recent writes, removed items, names, metadata, vectors and an encoder."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4)).astype(np.float32)
    hasher = RandomHyperplanes(N_BITS, random_state=0).fit(X)
    Collection.create(path, encoder=hasher, id_type="string", originals="float32").close()
    small = Limits(recent_slots=40, segment_slots=2000, segments_a_tier=4)
    collection = Collection(session.Session(Folder(path), read_only=False, limits=small))
    collection.add(X[:90], ids=NAMES[:90], metadata=[{"v": i % 3} for i in range(90)])
    collection.delete(NAMES[5:15])
    collection.add(X[90:], ids=NAMES[90:])
    if close:
        collection.close()
    else:  # as a crash would leave it, with a full log
        shutil.copytree(path, path.with_name("crashed"))
        collection.close()
        shutil.rmtree(path)
        path.with_name("crashed").rename(path)


def answers(path: Path) -> Any:
    with Collection.open(path, read_only=True) as collection:
        names = [name for name in NAMES if name not in NAMES[5:15]]
        items = collection.get(names)
        found = collection.search(QUERIES, 130)
        chosen = collection.search_radius(QUERIES, N_BITS, where={"v": 2})
        return (
            *(len(collection), found.ids.tolist(), found.distances.tolist(), chosen.ids.tolist()),
            *(items.codes.packed.tolist(), items.metadata, items.vectors.tolist(), collection.encoder.fingerprint()),
        )


def answers_or_refusal(path: Path) -> Any:
    """Return the answers, or None where an error of ours, or of the system, names a file of the collection."""
    with little_memory():
        try:
            return answers(path)
        except HammingwayError as error:
            assert str(path) in str(error), f"the message does not name the file: {error}"
        except OSError as error:
            assert error.filename is not None and str(path) in str(error.filename), repr(error)
        return None


@pytest.fixture(scope="module", params=[True, False], ids=["closed", "crashed"])
def sound(request, tmp_path_factory):
    """A collection and its answers."""
    folder = tmp_path_factory.mktemp("sound") / "c"
    fill(folder, close=request.param)
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    return kept, answers(folder)


def test_damage_to_any_file_is_named_or_changes_no_answer(sound, tmp_path):
    folder, right = sound
    files = sorted(
        path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".db-shm"
    )
    refused = []

    @examples(60)
    @given(st.integers(0, 99), edits)
    def check(number, changes):
        bad = tmp_path / "bad"
        shutil.copytree(folder, bad)
        try:
            path = bad / files[number % len(files)]
            path.write_bytes(damaged(path.read_bytes(), changes))
            answer = answers_or_refusal(bad)
            refused.append(answer is None)
            assert answer is None or answer == right, path.name
        finally:
            shutil.rmtree(bad)

    check()
    assert sum(refused) > len(refused) / 3


ABSURD = [None, True, -1, 0, 1, 63, 4097, 2**31, 2**53, 2**63 - 1, 2**63, 10**30, 0.5, "", "|O", "<f8", [], [-1], {}]


def fields_of(record: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of every value in a record, as keys from the outside in."""
    inner = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    return [place for key, value in inner for place in ((*path, key), *fields_of(value, (*path, key)))]


def put(record: Any, place: tuple[Any, ...], value: object) -> str:
    """Return ``record`` as JSON with another value at ``place``."""
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return json.dumps(record, separators=(",", ":"))


@pytest.mark.parametrize("table", ["manifest", "segments"])
def test_absurd_records_under_a_right_checksum_raise_only_our_errors(tmp_path, table):
    sound = tmp_path / "c"
    fill(sound, close=True)
    key = {"manifest": "only", "segments": "number"}[table]
    with sqlite3.connect(sound / "collection.db") as database:
        number, body = database.execute(f"SELECT {key}, body FROM {table}").fetchone()  # noqa: S608
    database.close()
    places = fields_of(json.loads(body))

    @examples(60)
    @given(st.integers(0, 999), st.sampled_from(ABSURD))
    def check(place, value):
        bad = tmp_path / "bad"
        shutil.copytree(sound, bad)
        try:
            changed = put(json.loads(body), places[place % len(places)], value)
            database = sqlite3.connect(bad / "collection.db")
            with database:
                statement = f"UPDATE {table} SET body = ?, mark = ? WHERE {key} = ?"  # noqa: S608
                database.execute(statement, (changed, mark(number, changed), number))
            database.close()
            answers_or_refusal(bad)
        finally:
            shutil.rmtree(bad)

    check()
