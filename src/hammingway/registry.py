"""Named contestants: entry points, so that a plugin is a first-class citizen.

A distribution registers a class (or function) under ``[project.entry-points."hammingway.hashers"]``
and so on; the built-ins use the same table. Listing names imports nothing.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hammingway.errors import DuplicateNameError, InvalidInputError, UnknownNameError
from hammingway.suggest import did_you_mean

__all__ = ["KINDS", "load", "names"]

KINDS = ("hashers", "indexes", "datasets", "metrics", "objectives", "networks")


def names(kind: str) -> list[str]:
    """Return the registered names of ``kind``, one of :data:`KINDS`, sorted."""
    return sorted(_table(kind))


def load(kind: str, name: str) -> Any:
    """Return what is registered under ``name``.

    Raises
    ------
    UnknownNameError : nothing is; the message suggests the nearest names.
    DuplicateNameError : two distributions registered the same name of this kind.

    Examples
    --------
    >>> load("hashers", "itq").__name__
    'ITQ'
    """
    table = _table(kind)
    if name not in table:
        raise UnknownNameError(f"No {kind} named {name!r}. {did_you_mean(name, table)}")
    return table[name].load()


@cache
def _table(kind: str) -> dict[str, EntryPoint]:
    if kind not in KINDS:
        raise InvalidInputError(f"No kind of name {kind!r}. {did_you_mean(kind, KINDS)}")
    table: dict[str, EntryPoint] = {}
    for entry in entry_points(group=f"hammingway.{kind}"):
        other = table.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise DuplicateNameError(
                f"{_owner(other)} and {_owner(entry)} both register {kind} {entry.name!r}; uninstall one of them."
            )
    return table


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value
