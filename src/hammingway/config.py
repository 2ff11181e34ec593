"""Configuration as data: frozen structs from TOML or JSON, where a misspelt key is an error."""

from __future__ import annotations

import hashlib
import math
import os
import tomllib
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from hammingway.errors import ConfigError
from hammingway.suggest import did_you_mean

__all__ = ["Config", "fingerprint", "from_mapping", "read_toml", "set_at", "to_mapping"]

_DEEPEST = 64  # levels of tables and lists; Python copies and prints no more than some hundreds
_SHOWN = 40  # letters of a path that is too long


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every configuration: immutable, keyword-only, unknown keys refused."""


C = TypeVar("C", bound=Config)


def from_mapping(kind: type[C], values: Mapping[str, Any], *, where: str = "configuration") -> C:
    """Return ``values`` checked and converted to ``kind``.

    Raises
    ------
    ConfigError : an unknown key or choice (with a suggestion), a missing one, a wrong type or range, a number that is
        infinite or not a number, or more than 64 levels of tables and lists.
    """
    _refuse_unusable(values, where)
    _refuse_unknown_keys(kind, values, where)
    try:
        return msgspec.convert(dict(values), type=kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}{_told(str(error))}.") from error


def _told(message: str) -> str:
    """Return msgspec's sentence as the others go: the key, then what is wrong with it."""
    what, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    return f"{f', {key}' if key else ''}: {what[0].lower()}{what[1:]}".replace("`", "'")


def read_toml(kind: type[C], path: str | os.PathLike[str]) -> C:
    """Return the TOML file at ``path`` as ``kind``.

    Raises
    ------
    ConfigError : the file cannot be read, is not TOML, or does not fit ``kind``.
    """
    try:
        with Path(path).open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, no UTF-8, a number of thousands of digits
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    return from_mapping(kind, values, where=str(path))


def to_mapping(config: Config) -> dict[str, Any]:
    """Return ``config`` as plain dicts, lists, strings and numbers, ready for JSON."""
    mapping: dict[str, Any] = msgspec.to_builtins(config)
    return mapping


def set_at(values: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a dotted path in nested dicts; a text where a dict is needed becomes its 'name'.

    Raises
    ------
    ConfigError : not a dotted path of at most 64 names, or something else stands where a dict is needed.

    Examples
    --------
    >>> values = {"network": "mlp"}
    >>> set_at(values, "network.hidden", [64])
    >>> values
    {'network': {'name': 'mlp', 'hidden': [64]}}
    """
    *tables, last = path.split(".")
    if len(tables) >= _DEEPEST:
        raise ConfigError(f"a path has at most {_DEEPEST} names; '{path[:_SHOWN]}...' has {len(tables) + 1}.")
    if not all(name.isidentifier() for name in (*tables, last)):
        raise ConfigError(f"{path!r} is no path such as 'objective.margin' or 'n_bits'.")
    for table in tables:
        inner = values.get(table, {})
        if not isinstance(inner, str | dict):
            raise ConfigError(f"{path!r} cannot be set: {table!r} is {inner!r}, which holds nothing by name.")
        values[table] = {"name": inner} if isinstance(inner, str) else dict(inner)
        values = values[table]
    values[last] = value


def fingerprint(config: Config, *, leave_out: Collection[str] = ()) -> str:
    """Return ``b2:`` and a BLAKE2b digest of the configuration's canonical JSON.

    The same values give the same fingerprint in every process and version of Python; any changed
    value, in name or number, gives another.

    Parameters
    ----------
    leave_out : fields that do not count.

    Raises
    ------
    ConfigError : a number is infinite or not a number, which JSON cannot tell apart; or a text is not UTF-8.
    """
    values = {name: value for name, value in msgspec.to_builtins(config).items() if name not in leave_out}
    _refuse_unusable(values, "configuration")
    try:
        canonical = msgspec.json.encode(values, order="deterministic")
    except UnicodeEncodeError as error:
        raise ConfigError(f"{error.object!r} is no UTF-8 text, as records are; rename the file.") from error
    return "b2:" + hashlib.blake2b(canonical, digest_size=16).hexdigest()


def _refuse_unusable(values: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError for a number that is not finite, or values nested without end, however deep."""
    waiting: deque[tuple[str, int, Any]] = deque([("", 0, values)])
    while waiting:
        place, depth, value = waiting.popleft()
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{where}, {place} is {value}; give a finite number.")
        if depth > _DEEPEST:
            raise ConfigError(f"{where}, {place[:_SHOWN]}... is nested deeper than {_DEEPEST} levels; make it flatter.")
        waiting.extend((inner, depth + 1, held) for inner, held in _inside(place, value))


def _inside(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a table or list holds, each with its place in the whole."""
    if isinstance(value, Mapping):
        yield from ((f"{place}.{key}" if place else str(key), inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"{place}[{number}]", inner) for number, inner in enumerate(value))


def _refuse_unknown_keys(kind: type[Config], values: Mapping[str, Any], where: str) -> None:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    tag = kind.__struct_config__.tag_field
    for key, value in values.items():
        if key in fields:
            _refuse_within(fields[key], value, f"{where}, {key}")
        elif key != tag:
            raise ConfigError(f"{where} has an unknown key {key!r}. {did_you_mean(str(key), fields)}")


def _refuse_within(annotation: Any, value: Any, where: str) -> None:
    """Look for unknown keys and choices in a value that is, or holds, configurations; `where` names its place."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        _refuse_within(arguments[0], value, where)
    elif origin in (Union, UnionType):
        possible = [argument for argument in arguments if argument is not type(None)]
        if len(possible) == 1:
            _refuse_within(possible[0], value, where)
    elif origin is Literal and isinstance(value, str) and value not in arguments:
        known = [argument for argument in arguments if isinstance(argument, str)]
        raise ConfigError(f"{where} cannot be {value!r}. {did_you_mean(value, known)}")
    elif isinstance(annotation, type) and issubclass(annotation, Config) and isinstance(value, Mapping):
        _refuse_unknown_keys(annotation, value, where)
    elif origin in (list, tuple) and isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _refuse_within(arguments[0], item, f"{where}[{number}]")
    elif origin is dict and isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_within(arguments[1], item, f"{where}.{key}")
