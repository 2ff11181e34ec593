"""Names and metadata of items: rows of the database under the items' keys, each with its checksum."""

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
    "check_row",
    "check_table",
    "forget",
    "keys_of_names",
    "matching_keys",
    "names_of",
    "store_bodies",
    "store_names",
]

_Value = TypeVar("_Value", str, int)
_BATCH = 8192
_BY_KEY = {
    "names": "SELECT key, name, mark FROM names WHERE key IN (SELECT value FROM json_each(?))",
    "metadata": "SELECT key, body, mark FROM metadata WHERE key IN (SELECT value FROM json_each(?))",
}
_ALL = {"names": "SELECT key, name, mark FROM names", "metadata": "SELECT key, body, mark FROM metadata"}
_INTEGRITY = {"names": "PRAGMA integrity_check(names)", "metadata": "PRAGMA integrity_check(metadata)"}
_DELETE = {"names": "DELETE FROM names WHERE key = ?", "metadata": "DELETE FROM metadata WHERE key = ?"}


class TableGuard:
    """Looks a table over once, before a result depends on what it does not hold.

    A damaged row that is read shows by its checksum; one that is not found does not.

    Parameters
    ----------
    path : of the database, for messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sound: set[str] = set()

    def check(self, connection: sqlite3.Connection, table: str, n_rows: int) -> None:
        """Raise FileFormatError unless 'names' or 'metadata' has ``n_rows`` rows, all as they were written."""
        if table not in self._sound:
            check_table(connection, table, n_rows, self.path)
            for (line,) in connection.execute(_INTEGRITY[table]):
                if line != "ok":
                    raise FileFormatError(f"{self.path} is damaged: {line}. Restore a copy.")
            self._sound.add(table)


def store_names(connection: sqlite3.Connection, keys: NDArray[np.int64], names: Sequence[str]) -> None:
    """Give the items of ``keys`` new names."""
    # In the order of the index, so that each of its pages is met once.
    pairs = sorted(zip(names, keys.tolist(), strict=True))
    rows = ((key, name, mark(key, name)) for name, key in pairs)
    connection.executemany("INSERT INTO names VALUES (?, ?, ?)", rows)


def store_bodies(connection: sqlite3.Connection, keys: NDArray[np.int64], bodies: Sequence[str | None]) -> int:
    """Store the metadata, JSON, of the items that have any; return how many do."""
    rows = [(key, body, mark(key, body)) for key, body in zip(keys.tolist(), bodies, strict=True) if body is not None]
    connection.executemany("INSERT INTO metadata VALUES (?, ?, ?)", rows)
    return len(rows)


def forget(connection: sqlite3.Connection, table: str, keys: NDArray[np.int64]) -> int:
    """Remove the rows of ``keys`` from 'names' or 'metadata'; return how many there were."""
    cursor = connection.executemany(_DELETE[table], ((key,) for key in keys.tolist()))
    return max(cursor.rowcount, 0)


def keys_of_names(connection: sqlite3.Connection, names: Sequence[str], path: Path) -> NDArray[np.int64]:
    """Return the key of each name, int64 (len(names),); -1 where no item has it."""
    known: dict[str, int] = {}
    statement = "SELECT key, name, mark FROM names WHERE name IN (SELECT value FROM json_each(?))"
    for batch in _batches(sorted(names)):
        for key, name, checksum in connection.execute(statement, (json.dumps(batch, ensure_ascii=False),)):
            check_row("names", key, (name,), checksum, path)
            known[name] = key
    return np.fromiter((known.get(name, -1) for name in names), np.int64, len(names))


def names_of(connection: sqlite3.Connection, keys: NDArray[np.int64], path: Path) -> dict[int, str]:
    """Return the names of the items of ``keys``, every one of which has a name.

    Raises
    ------
    FileFormatError : a name is missing or damaged.
    """
    names = _by_key(connection, "names", keys, path)
    if len(names) != len(set(keys.tolist())):
        raise FileFormatError(f"{path} is damaged: the table of names has lost rows. Restore a copy.")
    return names


def bodies_of(connection: sqlite3.Connection, keys: NDArray[np.int64], path: Path) -> dict[int, str]:
    """Return the metadata, JSON, of those items of ``keys`` that have any."""
    return _by_key(connection, "metadata", keys, path)


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


def check_table(connection: sqlite3.Connection, table: str, n_rows: int, path: Path) -> None:
    """Raise FileFormatError unless 'names' or 'metadata' has ``n_rows`` rows, all as they were written."""
    n_found = 0
    for key, text, checksum in connection.execute(_ALL[table]):
        check_row(table, key, (text,), checksum, path)
        n_found += 1
    if n_found != n_rows:
        raise FileFormatError(f"{path} is damaged: table {table} has {n_found} of {n_rows} rows. Restore a copy.")


def check_row(table: str, key: int, fields: Iterable[object], checksum: object, path: Path) -> None:
    """Raise FileFormatError unless a row of the database is as it was written."""
    plain = [field for field in fields if field is None or isinstance(field, str | bytes)]
    if mark(key, *plain) != checksum:
        raise FileFormatError(
            f"{path} is damaged: row {key} of table {table} does not match its checksum. Restore a copy."
        )


def _by_key(connection: sqlite3.Connection, table: str, keys: NDArray[np.int64], path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for batch in _batches(keys.tolist()):
        for key, text, checksum in connection.execute(_BY_KEY[table], (json.dumps(batch),)):
            check_row(table, key, (text,), checksum, path)
            found[key] = text
    return found


def _batches(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    rest = iter(values)
    while batch := list(islice(rest, _BATCH)):
        yield batch
