"""Fields that a filter names and no item has: misspelt ones mostly, which would silently find nothing, or too much."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hammingway.collection.filters import field_path
from hammingway.collection.records import Manifest
from hammingway.collection.tables import check_row
from hammingway.suggest import did_you_mean

__all__ = ["FieldCheck", "UnknownFieldWarning"]

_MOST_FIELDS = 16  # looked for, of a filter that names more
_MOST_REMEMBERED = 1000
_MOST_LISTED = 20
_SAMPLED_ROWS = 500  # from either end of the table, to name what fields there are
_FIRST = "SELECT key FROM metadata WHERE json_type(body, ?) IS NOT NULL LIMIT 1"
_STILL = "SELECT key FROM metadata WHERE key = ? AND json_type(body, ?) IS NOT NULL"


class UnknownFieldWarning(UserWarning):
    """A filter names a field that no item has: it may find nothing, or what it was meant to leave out."""


class FieldCheck:
    """Looks for the fields of a filter, each once a state of the collection.

    A field that items have is mostly found in the first rows, and the item that has it is asked first when the
    collection has changed, so it costs a look at one row. To miss one takes a look at all: that is done once a state.

    Parameters
    ----------
    path : of the database, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, tuple[int, int | None]] = {}  # at which operation, the key of an item that has it

    def warn(
        self,
        connection: sqlite3.Connection,
        manifest: Manifest,
        names: Sequence[str],
        *,
        n_passed: int,
        stacklevel: int,
    ) -> None:
        """Warn of each of ``names`` that no item has, if there are items at all.

        Parameters
        ----------
        n_passed : items that pass the filter.
        stacklevel : the caller's.
        """
        if not manifest.n_items:
            return
        missing = [name for name in names[:_MOST_FIELDS] if not self._is_there(connection, manifest.operation, name)]
        known = _sampled_fields(connection, self._path) if missing else []
        for name in missing:
            sentence = f"no item has the field {name!r}, and {_passed(n_passed, manifest.n_items)} the filter."
            warnings.warn(f"{sentence} {_hint(name, known)}".rstrip(), UnknownFieldWarning, stacklevel=stacklevel + 1)

    def _is_there(self, connection: sqlite3.Connection, operation: int, name: str) -> bool:
        at, key = self._seen.get(name, (-1, None))
        if at != operation:
            path = field_path(name)
            found = None if key is None else connection.execute(_STILL, (key, path)).fetchone()
            found = found or connection.execute(_FIRST, (path,)).fetchone()
            key = found[0] if found else None
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            self._seen[name] = operation, key
        return key is not None


def _passed(n: int, n_items: int) -> str:
    """Return how many of the items pass, as a sentence goes on."""
    if not n:
        return "none passes"
    if n == n_items:
        return "all pass"
    return f"{n} of {n_items} pass{'es' if n == 1 else ''}"


def _hint(name: str, known: Sequence[str]) -> str:
    listed = known if len(known) <= _MOST_LISTED else get_close_matches(name, known)
    return did_you_mean(name, listed) if listed else ""


def _sampled_fields(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Return the fields, dotted, of the first and the last items that have metadata, as a filter would name them."""
    bodies: list[str] = []
    for order in ("ASC", "DESC"):
        sample = f"SELECT key, body, mark FROM metadata ORDER BY key {order} LIMIT {_SAMPLED_ROWS}"  # noqa: S608
        for key, body, checksum in connection.execute(sample):
            check_row("metadata", key, (body,), checksum, path)
            bodies.append(body)
    return sorted({name for body in bodies for name in _names(json.loads(body))})


def _names(fields: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in fields.items():
        if name and not set(name) & set('."\\'):  # a filter cannot name the others
            yield above + name
            if isinstance(value, dict):
                yield from _names(value, f"{above}{name}.")
