"""Between the ids that users give and the int64 keys under which codes are kept."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.collection import tables
from hammingway.collection.changes import Change
from hammingway.collection.inputs import check_names
from hammingway.collection.parts import Snapshot
from hammingway.errors import InvalidInputError
from hammingway.ids import MAX_ID, check_code_ids, check_ids, name_some

__all__ = ["Ids", "find_known", "has", "name_keys", "new_keys"]

Ids = ArrayLike | Sequence[str]


def find_known(connection: Connection, snapshot: Snapshot, ids: Ids, guard: tables.TableGuard) -> NDArray[np.int64]:
    """Return the key of each id.

    Raises
    ------
    InvalidInputError : an id is not there.
    """
    if snapshot.manifest.id_type == "string":
        names = check_names(ids)
        keys = tables.keys_of_names(connection, names, guard.path)
        unknown = [name for name, key in zip(names, keys.tolist(), strict=True) if key < 0]
        if unknown:
            guard.check(connection, "names", snapshot.manifest.n_named)
            raise InvalidInputError(f"{_some_names(unknown)} not in the collection of {snapshot.manifest.n_items}.")
        return keys
    keys = check_ids(ids)
    missing = keys[snapshot.find(keys)[0] < 0]
    if missing.size:
        raise InvalidInputError(f"{name_some(missing)} not in the collection of {snapshot.manifest.n_items} items.")
    return keys


def has(connection: Connection, snapshot: Snapshot, item_id: object, guard: tables.TableGuard) -> bool:
    """Return whether an item has this id, whatever it is."""
    if snapshot.manifest.id_type == "string":
        if not isinstance(item_id, str):
            return False
        known = bool(tables.keys_of_names(connection, [item_id], guard.path)[0] >= 0)
        if not known:
            guard.check(connection, "names", snapshot.manifest.n_named)
        return known
    if isinstance(item_id, bool | np.bool_) or not isinstance(item_id, int | np.integer):
        return False
    return bool(0 <= item_id <= MAX_ID) and bool(snapshot.find(np.array([item_id], np.int64))[0][0] >= 0)


def new_keys(
    change: Change, ids: Ids | None, n: int, *, replace: bool, guard: tables.TableGuard
) -> tuple[NDArray[np.int64], Any]:
    """Return keys for ``n`` items, their present codes removed, and the ids they now have.

    Raises
    ------
    ShapeError, InvalidInputError : ids that cannot be used; without ``replace``, that are there already.
    """
    manifest = change.manifest
    if manifest.id_type == "string":
        return _new_named(change, ids, n, replace=replace, guard=guard)
    keys = _next_keys(manifest.next_key, n) if ids is None else check_code_ids(ids, n)
    present = keys[change.snapshot.find(keys)[0] >= 0] if ids is not None else keys[:0]
    if present.size:
        if not replace:
            raise InvalidInputError(f"{name_some(present)} already in the collection; upsert replaces items.")
        change.replaced(present)
    if n:
        change.update(next_key=max(manifest.next_key, int(keys.max()) + 1))
    return keys, keys


def name_keys(connection: Connection, keys: NDArray[np.int64], guard: tables.TableGuard) -> NDArray[np.object_]:
    """Return the names of keys of any shape; None for key -1."""
    wanted = np.unique(keys[keys >= 0])
    names = tables.names_of(connection, wanted, guard.path)
    flat = np.empty(keys.size, object)
    flat[:] = [names.get(key) for key in keys.reshape(-1).tolist()]
    return flat.reshape(keys.shape)


def _new_named(
    change: Change, ids: Ids | None, n: int, *, replace: bool, guard: tables.TableGuard
) -> tuple[NDArray[np.int64], Any]:
    if ids is None:
        raise InvalidInputError("this collection names its items by strings; give ids, one an item.")
    names = check_names(ids, n)
    keys = tables.keys_of_names(change.connection, names, guard.path)
    present, new = keys[keys >= 0], np.flatnonzero(keys < 0)
    if present.size:
        if not replace:
            known = [name for name, key in zip(names, keys.tolist(), strict=True) if key >= 0]
            raise InvalidInputError(f"{_some_names(known)} already in the collection; upsert replaces items.")
        change.replaced(present)
    # A replaced item keeps its key, and with it its place among equal distances.
    keys[new] = _next_keys(change.manifest.next_key, len(new))
    tables.store_names(change.connection, keys[new], [names[i] for i in new.tolist()])
    change.update(next_key=change.manifest.next_key + len(new), n_named=change.manifest.n_named + len(new))
    named = np.empty(n, object)
    named[:] = names
    return keys, named


def _next_keys(first: int, n: int) -> NDArray[np.int64]:
    if first > MAX_ID + 1 - n:
        raise InvalidInputError(f"no {n} ids are left after {first - 1}; give ids of your own.")
    return np.arange(first, first + n, dtype=np.int64)


def _some_names(names: Sequence[str], *, n_named: int = 5) -> str:
    rest = len(names) - n_named
    return f"id{'s' if len(names) != 1 else ''} {', '.join(map(repr, names[:n_named]))}" + (
        f" and {rest} more" if rest > 0 else ""
    )
