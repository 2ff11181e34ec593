"""Configuration as data: frozen structs from TOML or JSON, where a misspelt key is an error."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hammingway.errors import ConfigError
from hammingway.suggest import did_you_mean

__all__ = ["Config", "fingerprint", "from_mapping", "read_toml", "to_mapping"]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every configuration: immutable, keyword-only, unknown keys refused."""


C = TypeVar("C", bound=Config)


def from_mapping(kind: type[C], values: Mapping[str, Any], *, where: str = "configuration") -> C:
    """Return ``values`` checked and converted to ``kind``.

    Raises
    ------
    ConfigError : an unknown key (with a suggestion), a missing one, or a wrong type or range.
    """
    _refuse_unknown_keys(kind, values, where)
    try:
        return msgspec.convert(dict(values), type=kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}.") from error


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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    return from_mapping(kind, values, where=str(path))


def to_mapping(config: Config) -> dict[str, Any]:
    """Return ``config`` as plain dicts, lists, strings and numbers, ready for JSON."""
    mapping: dict[str, Any] = msgspec.to_builtins(config)
    return mapping


def fingerprint(config: Config) -> str:
    """Return ``b2:`` and a BLAKE2b digest of the configuration's canonical JSON.

    The same values give the same fingerprint in every process and version of Python; any changed
    value, in name or number, gives another.
    """
    canonical = msgspec.json.encode(msgspec.to_builtins(config), order="deterministic")
    return "b2:" + hashlib.blake2b(canonical, digest_size=16).hexdigest()


def _refuse_unknown_keys(kind: type[Config], values: Mapping[str, Any], where: str) -> None:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(f"{where} has an unknown key {key!r}. {did_you_mean(str(key), fields)}")
        nested = fields[key]
        if isinstance(nested, type) and issubclass(nested, Config) and isinstance(value, Mapping):
            _refuse_unknown_keys(nested, value, f"{where}, table [{key}]")
