"""String ids of format version 1, which kept them in a table of the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hammingway.collection.names import Names
from hammingway.collection.parts import Part
from hammingway.collection.records import Manifest
from hammingway.collection.tables import check_count, check_row
from hammingway.errors import FileFormatError

__all__ = ["named_parts"]


def named_parts(
    connection: sqlite3.Connection, manifest: Manifest, parts: Sequence[Part], path: Path
) -> Iterator[Part]:
    """Yield the parts of a collection of version 1 with their names, read into memory.

    Raises
    ------
    FileFormatError : a name is missing or damaged.
    """
    rows = connection.execute("SELECT key, name, mark FROM names ORDER BY key").fetchall()
    for key, name, checksum in rows:
        check_row("names", key, (name,), checksum, path)
    check_count("names", len(rows), manifest.n_named, path)
    keys = np.array([row[0] for row in rows], np.int64)
    names = np.array([*(row[1] for row in rows), ""], object)
    for part in parts:
        slots = np.arange(part.n_slots)
        wanted = part.keys_of(slots)
        places = np.searchsorted(keys, wanted)
        known = np.append(keys, -1)[places] == wanted
        if not known[part.live_slots()].all():
            raise FileFormatError(f"{path} is damaged: the table of names has lost rows. Restore a copy.")
        # A deleted item has no name left, and its slot is never asked for one.
        yield replace(part, names=Names.of(names[np.where(known, places, -1)].tolist()))
