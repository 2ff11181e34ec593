"""A hasher from what was typed: name, width, seed and parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hammingway import registry
from hammingway.config import set_at
from hammingway.errors import InvalidInputError
from hammingway.suggest import did_you_mean

if TYPE_CHECKING:
    from hammingway.hashers import Hasher

__all__ = ["OWN_OPTIONS", "make_hasher"]

OWN_OPTIONS = {"n_bits": "--bits", "random_state": "--seed"}


def make_hasher(
    name: str,
    n_bits: int | None,
    *,
    seed: int,
    params: Iterable[tuple[str, Any]],
    settings: Iterable[tuple[str, Any]] = (),
) -> Hasher:
    """Return the registered hasher ``name``, not fitted.

    Parameters
    ----------
    n_bits : bits a code; None for the hasher's own default.
    seed : its ``random_state``.
    params : (key, value) pairs for the rest of its constructor; a repeated key counts last.
    settings : (dotted path, value) pairs for what its parameters hold, such as ('training.epochs', 50).

    Raises
    ------
    UnknownNameError : no such hasher.
    InvalidInputError : it has no such parameter (with a suggestion), or an option of its own sets it.
    """
    kind = registry.load("hashers", name)
    values = dict(params)
    known = set(inspect.signature(kind).parameters) - set(OWN_OPTIONS)
    for key in values:
        if key in OWN_OPTIONS:
            raise InvalidInputError(f"--param cannot set {key!r}; give it as {OWN_OPTIONS[key]}.")
        if key not in known:
            raise InvalidInputError(f"The hasher {name!r} has no --param {key!r}. {_suggestion(kind, key, known)}")
    if n_bits is not None:
        values["n_bits"] = n_bits
    for path, value in settings:
        key = path.partition(".")[0]
        if key in OWN_OPTIONS or key not in known:
            raise InvalidInputError(f"The hasher {name!r} has no {key!r} for --set. {_suggestion(kind, path, known)}")
        set_at(values, path, value)
    hasher: Hasher = kind(random_state=seed, **values)
    return hasher


def _suggestion(kind: Any, path: str, known: set[str]) -> str:
    """Return what may have been meant by a parameter that there is not: an option within another, or what is alike."""
    option = path.rpartition(".")[2]
    places = [f"--set {table}.{option}=..." for table, options in _tables(kind).items() if option in options]
    return (
        f"Did you mean hammingway fit {' or '.join(places)}?" if places else did_you_mean(path.partition(".")[0], known)
    )


def _tables(kind: Any) -> dict[str, tuple[str, ...]]:
    """Return the parameters of a deep hasher that are tables, with the options of its own in each; none of others."""
    if not hasattr(kind, "default_training"):
        return {}
    from hammingway.deep.config import Training

    chosen = {table: getattr(kind, f"default_{table}")["name"] for table in ("objective", "network")}
    options = {table: registry.load(f"{table}s", name).Options for table, name in chosen.items()}
    return {table: one.__struct_fields__ for table, one in {"training": Training, **options}.items()}
