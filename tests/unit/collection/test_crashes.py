"""A process killed at any instant leaves the last acknowledged operation, or one more, entire."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hammingway import Codes, Collection

PROGRAM = Path(__file__).with_name("scripted.py")


def load_program():
    spec = importlib.util.spec_from_file_location("scripted", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scripted = load_program()


@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(
        [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def kill_after(server, n_done, seconds, line):
    """Start operations and kill them; return the number of the last one that was acknowledged, or None.

    The seconds count from when ``n_done`` operations were acknowledged, or, None, from the start of the
    process: however slow the machine is, writers thus get somewhere.
    """
    server.stdin.write(line + "\n")
    server.stdin.flush()
    child, lines = None, []
    while child is None or (n_done is not None and len(lines) <= n_done):
        text = server.stdout.readline()
        if text.startswith("pid"):
            child = int(text.split()[1])
        else:
            assert text != "dead\n", "the writer ended by itself"
            lines.append(text)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    while (text := server.stdout.readline()) != "dead\n":
        lines.append(text)
    numbers = [int(text) for text in lines if text != "open\n"]
    return numbers[-1] if numbers else None


def state_of(collection, ids):
    given = ids if collection.id_type == "string" else [int(name) for name in ids]
    items = collection.get(given)
    assert not given or np.array_equal(items.vectors, scripted.originals_of(items.codes))
    return {
        name: (code.tobytes(), fields["v"])
        for name, code, fields in zip(ids, items.codes.packed, items.metadata, strict=True)
    }


def check_state(collection, state):
    """Compare every item, and one search, with the dictionary."""
    assert len(collection) == len(state)
    assert state_of(collection, sorted(state)) == state
    query = Codes.from_bits(np.zeros((1, scripted.N_BITS), int))
    found = collection.search_radius(query, scripted.N_BITS, where={"v": 3})
    weights = {name: int.from_bytes(code, "little").bit_count() for name, (code, v) in state.items() if v == 3}
    assert {str(name): distance for name, distance in zip(found.ids, found.distances.tolist(), strict=True)} == weights


def survive(server, path, *, seed, n_kills, id_type):
    Collection.create(path, n_bits=scripted.N_BITS, id_type=id_type, originals="int8").close()
    rng = np.random.default_rng(seed)
    done = 0
    for i in range(n_kills):
        n_done = None if i % 3 == 0 else int(rng.integers(3))
        seconds = float(rng.uniform(0, 0.15 if n_done is None else 0.05))
        last = kill_after(server, n_done, seconds, f"{path} {seed} {done}")
        acknowledged = done if last is None else last + 1
        with scripted.open_small(path) as collection:
            after = [scripted.state_after(seed, acknowledged + more) for more in (0, 1)]
            done = acknowledged + (len(collection) != len(after[0]) or not _same(collection, after[0]))
            check_state(collection, after[done - acknowledged])
            assert collection.verify() == []
    return done


def _same(collection, state):
    ids = sorted(state)
    given = ids if collection.id_type == "string" else [int(name) for name in ids]
    return all(name in collection for name in given) and state_of(collection, ids) == state


@pytest.mark.parametrize("id_type", ["integer", "string"])
def test_killed_writer_leaves_what_it_acknowledged(server, tmp_path, id_type):
    done = survive(server, tmp_path / "c", seed=1, n_kills=15, id_type=id_type)
    assert done > 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("id_type", ["integer", "string"])
@pytest.mark.parametrize("seed", range(2, 7))
def test_writer_killed_hundreds_of_times_leaves_what_it_acknowledged(server, tmp_path, id_type, seed):
    done = survive(server, tmp_path / "c", seed=seed, n_kills=60, id_type=id_type)
    assert done > 12


def test_collection_is_created_whole_or_not_at_all(tmp_path):
    code = "import sys; from hammingway import Collection; print(flush=True); Collection.create(sys.argv[1], n_bits=8)"
    rng = np.random.default_rng(0)
    for attempt in range(6):
        path = tmp_path / str(attempt)
        with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.3)))
            process.kill()
        if path.exists():
            with Collection.open(path) as collection:
                assert len(collection) == 0 and collection.verify() == []
        else:
            Collection.create(path, n_bits=8).close()


READER = """
import sys
from hammingway import Codes, Collection
print("ready", flush=True)
n = 0
while True:
    with Collection.open(sys.argv[1], read_only=True) as collection:
        for _ in range(3):
            items = collection.get(list(range(70)))
            (version,) = {fields["version"] for fields in items.metadata}
            found = collection.search(items.codes[:1], 71, where={"version": version})
            assert len(collection) == 70 and found.ids[0].tolist() == [*range(70), -1], (version, found)
            collection.refresh()
    n += 1
    print(n, flush=True)
"""


def test_reading_processes_see_whole_operations_while_another_writes(tmp_path):
    path = tmp_path / "c"
    codes = Codes.from_bits(np.zeros((70, scripted.N_BITS), int))
    Collection.create(path, n_bits=scripted.N_BITS).close()
    with scripted.open_small(path) as writer:
        writer.add(codes, metadata=[{"version": 0}] * 70)
        readers = [
            subprocess.Popen([sys.executable, "-c", READER, path], stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        for reader in readers:
            assert reader.stdout.readline() == "ready\n"
        end = time.monotonic() + 2.5
        version = 0
        while time.monotonic() < end:
            version += 1
            writer.upsert(codes, ids=np.arange(70), metadata=[{"version": version}] * 70)
            if version % 3 == 0:
                writer.compact()
    for reader in readers:
        assert reader.poll() is None, "a reader saw half an operation"
        reader.kill()
        assert len(reader.stdout.read().split()) > 3
        reader.wait()
        reader.stdout.close()
    assert version > 10
