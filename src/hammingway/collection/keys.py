"""Between the ids that users give and the int64 keys under which codes are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.collection.changes import Change
from hammingway.collection.inputs import check_names, is_name
from hammingway.collection.names import Names
from hammingway.collection.parts import Snapshot
from hammingway.collection.remedies import Remedy
from hammingway.errors import InvalidInputError, RefusedError
from hammingway.ids import MAX_ID, check_code_ids, check_ids, name_some

__all__ = ["Ids", "find_known", "has", "name_keys", "new_keys"]

Ids = ArrayLike | Sequence[str]


def find_known(snapshot: Snapshot, ids: Ids) -> NDArray[np.int64]:
    """Return the key of each id.

    Raises
    ------
    InvalidInputError : an id is not there.
    """
    if snapshot.manifest.id_type == "string":
        names = check_names(ids)
        keys = snapshot.find_names(names, Names.of(names).hashes)
        unknown = [name for name, key in zip(names, keys.tolist(), strict=True) if key < 0]
        if unknown:
            raise InvalidInputError(f"{_some_names(unknown)} not in the collection of {snapshot.manifest.n_items}.")
        return keys
    keys = check_ids(ids)
    missing = keys[snapshot.find(keys)[0] < 0]
    if missing.size:
        raise InvalidInputError(f"{name_some(missing)} not in the collection of {snapshot.manifest.n_items} items.")
    return keys


def has(snapshot: Snapshot, item_id: object) -> bool:
    """Return whether an item has this id, whatever it is."""
    if snapshot.manifest.id_type == "string":
        return is_name(item_id) and bool(snapshot.find_names([item_id], Names.of([item_id]).hashes)[0] >= 0)
    if isinstance(item_id, bool | np.bool_) or not isinstance(item_id, int | np.integer):
        return False
    return bool(0 <= item_id <= MAX_ID) and bool(snapshot.find(np.array([item_id], np.int64))[0][0] >= 0)


def new_keys(change: Change, ids: Ids | None, n: int, *, replace: bool) -> tuple[NDArray[np.int64], Names | None, Any]:
    """Return keys for ``n`` items, their present codes removed, their names, and the ids they now have.

    Raises
    ------
    ShapeError, InvalidInputError : ids that cannot be used; without ``replace``, that are there already.
    """
    manifest = change.manifest
    if manifest.id_type == "string":
        return _new_named(change, ids, n, replace=replace)
    keys = _next_keys(manifest.next_key, n) if ids is None else check_code_ids(ids, n)
    present = keys[change.snapshot.find(keys)[0] >= 0] if ids is not None else keys[:0]
    if present.size:
        if not replace:
            raise RefusedError(f"{name_some(present)} already in the collection", Remedy.REPLACE)
        change.replaced(present)
    if n:
        change.update(next_key=max(manifest.next_key, int(keys.max()) + 1))
    return keys, None, keys


def name_keys(snapshot: Snapshot, keys: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the names of keys of any shape; None for key -1."""
    wanted, places = np.unique(keys, return_inverse=True)
    names = np.empty(len(wanted), object)
    names[wanted >= 0] = snapshot.names_of(wanted[wanted >= 0])
    return names[places.reshape(keys.shape)]


def _new_named(change: Change, ids: Ids | None, n: int, *, replace: bool) -> tuple[NDArray[np.int64], Names, Any]:
    if ids is None:
        raise RefusedError("this collection names its items by strings", Remedy.GIVE_IDS)
    names = check_names(ids, n)
    encoded = Names.of(names)
    keys = change.snapshot.find_names(names, encoded.hashes)
    present, new = keys[keys >= 0], np.flatnonzero(keys < 0)
    if present.size:
        if not replace:
            known = [name for name, key in zip(names, keys.tolist(), strict=True) if key >= 0]
            raise RefusedError(f"{_some_names(known)} already in the collection", Remedy.REPLACE)
        change.replaced(present)
    # A replaced item keeps its key, and with it its place among equal distances.
    keys[new] = _next_keys(change.manifest.next_key, len(new))
    change.update(next_key=change.manifest.next_key + len(new))
    named = np.empty(n, object)
    named[:] = names
    return keys, encoded, named


def _next_keys(first: int, n: int) -> NDArray[np.int64]:
    if first > MAX_ID + 1 - n:
        raise RefusedError(f"no {n} ids are left after {first - 1}", Remedy.GIVE_IDS)
    return np.arange(first, first + n, dtype=np.int64)


def _some_names(names: Sequence[str], *, n_named: int = 5) -> str:
    rest = len(names) - n_named
    return f"id{'s' if len(names) != 1 else ''} {', '.join(map(repr, names[:n_named]))}" + (
        f" and {rest} more" if rest > 0 else ""
    )
