"""Fields that a filter names and no item has: misspelt ones mostly, which would silently find nothing."""

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
_IS_THERE = "SELECT EXISTS (SELECT 1 FROM metadata WHERE json_type(body, ?) IS NOT NULL)"


class UnknownFieldWarning(UserWarning):
    """A filter that no item passes names a field that no item has."""


class FieldCheck:
    """Looks for the fields of a filter that no item passed, each once a state of the collection.

    Parameters
    ----------
    path : of the database, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._there: dict[tuple[int, str], bool] = {}

    def warn(
        self, connection: sqlite3.Connection, manifest: Manifest, names: Sequence[str], *, stacklevel: int
    ) -> None:
        """Warn of each of ``names`` that no item has, if there are items at all; ``stacklevel`` is the caller's."""
        if not manifest.n_items:
            return
        missing = [name for name in names[:_MOST_FIELDS] if not self._is_there(connection, manifest.operation, name)]
        known = _sampled_fields(connection, self._path) if missing else []
        for name in missing:
            sentence = f"no item has the field {name!r}, and none passes the filter. {_hint(name, known)}".rstrip()
            warnings.warn(sentence, UnknownFieldWarning, stacklevel=stacklevel + 1)

    def _is_there(self, connection: sqlite3.Connection, operation: int, name: str) -> bool:
        # A field that is there is mostly found in the first rows; to miss one takes a look at all, so it is remembered.
        if (operation, name) not in self._there:
            if len(self._there) >= _MOST_REMEMBERED:
                self._there.clear()
            (found,) = connection.execute(_IS_THERE, (field_path(name),)).fetchone()
            self._there[operation, name] = bool(found)
            return bool(found)
        return self._there[operation, name]


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
