"""Metadata of items: rows of the database under the items' keys, each with its checksum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hammingway.collection.filters import Condition
from hammingway.collection.records import mark
from hammingway.errors import FileFormatError

__all__ = [
    "TableGuard",
    "bodies_of",
    "check_count",
    "check_row",
    "check_table",
    "forget",
    "matching_keys",
    "store_bodies",
]

_Value = TypeVar("_Value", str, int)
_BATCH = 8192
_BY_KEY = "SELECT key, body, mark FROM metadata WHERE key IN (SELECT value FROM json_each(?))"


class TableGuard:
    """Looks the table of metadata over once, before a result depends on what it does not hold.

    A damaged row that is read shows by its checksum; one that is not found does not.

    Parameters
    ----------
    path : of the database, for messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sound = False

    def check(self, connection: sqlite3.Connection, n_rows: int) -> None:
        """Raise FileFormatError unless the table has ``n_rows`` rows, all as they were written."""
        if not self._sound:
            check_table(connection, n_rows, self.path)
            for (line,) in connection.execute("PRAGMA integrity_check(metadata)"):
                if line != "ok":
                    raise FileFormatError(f"{self.path} is damaged: {line}. Restore a copy.")
            self._sound = True

    def bodies_of(self, connection: sqlite3.Connection, keys: NDArray[np.int64], n_rows: int) -> dict[int, str]:
        """Return the metadata, JSON, of those items of ``keys`` that have any; the table has ``n_rows`` rows."""
        bodies = bodies_of(connection, keys, self.path)
        if len(bodies) < len(np.unique(keys)):
            self.check(connection, n_rows)
        return bodies


def store_bodies(connection: sqlite3.Connection, keys: NDArray[np.int64], bodies: Sequence[str | None]) -> int:
    """Store the metadata, JSON, of the items that have any; return how many do."""
    rows = [(key, body, mark(key, body)) for key, body in zip(keys.tolist(), bodies, strict=True) if body is not None]
    connection.executemany("INSERT INTO metadata VALUES (?, ?, ?)", rows)
    return len(rows)


def forget(connection: sqlite3.Connection, keys: NDArray[np.int64]) -> int:
    """Remove the metadata of ``keys``; return how many had any."""
    cursor = connection.executemany("DELETE FROM metadata WHERE key = ?", ((key,) for key in keys.tolist()))
    return max(cursor.rowcount, 0)


def bodies_of(connection: sqlite3.Connection, keys: NDArray[np.int64], path: Path) -> dict[int, str]:
    """Return the metadata, JSON, of those items of ``keys`` that have any."""
    found: dict[int, str] = {}
    for batch in _batches(keys.tolist()):
        for key, text, checksum in connection.execute(_BY_KEY, (json.dumps(batch),)):
            check_row("metadata", key, (text,), checksum, path)
            found[key] = text
    return found


def matching_keys(connection: sqlite3.Connection, condition: Condition) -> tuple[NDArray[np.int64], bool]:
    """Return the keys of items for which ``condition`` holds; or, and True, of those for which it does not.

    The latter where it holds for an item without metadata, which no table lists.
    """
    # Only SQL that compile_filter wrote is put in here; names and values are parameters.
    empty = connection.execute(f"SELECT {condition.sql} FROM (SELECT '{{}}' AS body)", condition.parameters)  # noqa: S608
    inverted = bool(empty.fetchone()[0])
    wanted = f"NOT {condition.sql}" if inverted else condition.sql
    rows = connection.execute(f"SELECT key FROM metadata WHERE {wanted}", condition.parameters)  # noqa: S608
    return np.fromiter((key for (key,) in rows), np.int64), inverted


def check_table(connection: sqlite3.Connection, n_rows: int, path: Path) -> None:
    """Raise FileFormatError unless the table of metadata has ``n_rows`` rows, all as they were written."""
    n_found = 0
    for key, text, checksum in connection.execute("SELECT key, body, mark FROM metadata"):
        check_row("metadata", key, (text,), checksum, path)
        n_found += 1
    check_count("metadata", n_found, n_rows, path)


def check_count(table: str, n_found: int, n_rows: int, path: Path) -> None:
    """Raise FileFormatError unless a table has as many rows as the manifest says."""
    if n_found != n_rows:
        raise FileFormatError(f"{path} is damaged: table {table} has {n_found} of {n_rows} rows. Restore a copy.")


def check_row(table: str, key: object, fields: Iterable[object], checksum: object, path: Path) -> None:
    """Raise FileFormatError unless a row of the database is as it was written."""
    plain = [field for field in fields if field is None or isinstance(field, str | bytes)]
    if not isinstance(key, int) or mark(key, *plain) != checksum:  # a damaged page may give a key of any type
        raise FileFormatError(
            f"{path} is damaged: row {key} of table {table} does not match its checksum. Restore a copy."
        )


def _batches(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    rest = iter(values)
    while batch := list(islice(rest, _BATCH)):
        yield batch
