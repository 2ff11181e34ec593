"""One endless series of operations a seed, for a collection and for a dictionary; run, it waits to be killed.

Started as a program it reads lines 'path seed start' and does each in a process of its own, which
writes "open" and then the number of every operation that has returned.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from hammingway import Codes, Collection
from hammingway.collection import session
from hammingway.collection.database import Folder
from hammingway.collection.limits import Limits

N_BITS = 19
SMALL = Limits(recent_slots=60, segment_slots=1500, segments_a_tier=3)


def open_small(path: str) -> Collection:
    """Open with segments so small that a few operations write and merge them."""
    return Collection(session.Session(Folder(path), read_only=False, limits=SMALL))


def operations(seed: int) -> Iterator[tuple[str, list[str], Any, list[dict[str, int]]]]:
    """Yield (kind, ids, codes, metadata)."""
    rng = np.random.default_rng(seed)
    present: set[str] = set()
    while True:
        kind = rng.choice(["add", "add", "add", "upsert", "delete", "compact"])
        n = int(rng.choice([1, 5, 50, 200]))
        known = sorted(present)
        if kind in ("delete", "upsert") and known:
            ids = [known[i] for i in rng.permutation(len(known))[:n].tolist()]
        else:
            kind = "compact" if kind == "compact" else "add"
            ids = [name for name in map(str, rng.integers(0, 10**9, n)) if name not in present]
            ids = list(dict.fromkeys(ids))
        codes = Codes.from_bits(rng.integers(0, 2, (len(ids), N_BITS)))
        if kind == "delete":
            present -= set(ids)
        elif kind != "compact":
            present |= set(ids)
        yield str(kind), ids, codes, [{"v": int(v)} for v in rng.integers(0, 9, len(ids))]


def originals_of(codes: Codes) -> Any:
    """Return vectors that tell which codes they belong to."""
    return codes.unpack()[:, :3].astype(np.int8)


def apply(collection: Collection, operation: tuple[str, list[str], Any, list[dict[str, int]]]) -> None:
    """Do one operation."""
    kind, ids, codes, metadata = operation
    given: Any = ids if collection.id_type == "string" else [int(name) for name in ids]
    if kind == "compact":
        collection.compact()
    elif kind == "delete":
        collection.delete(given)
    else:
        getattr(collection, kind)(codes, ids=given, metadata=metadata, vectors=originals_of(codes))


def state_after(seed: int, n_operations: int) -> dict[str, tuple[bytes, int]]:
    """Return {id: (code, v)} as a dictionary gives it."""
    state: dict[str, tuple[bytes, int]] = {}
    for kind, ids, codes, metadata in islice(operations(seed), n_operations):
        for i, name in enumerate(ids if kind != "compact" else []):
            if kind == "delete":
                del state[name]
            else:
                state[name] = codes.packed[i].tobytes(), metadata[i]["v"]
    return state


def _run(path: str, seed: int, start: int) -> None:
    collection = open_small(path)
    os.write(1, b"open\n")
    for number, operation in enumerate(operations(seed)):
        if number >= start:
            apply(collection, operation)
            os.write(1, b"%d\n" % number)


def main() -> None:
    """Serve lines of standard input."""
    for line in sys.stdin:
        path, seed, start = line.split()
        child = os.fork()
        if not child:
            _run(path, int(seed), int(start))
        os.write(1, b"pid %d\n" % child)
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    main()
