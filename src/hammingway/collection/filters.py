"""Filters on metadata, compiled to SQL with every name and value a parameter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hammingway.errors import InvalidInputError
from hammingway.suggest import did_you_mean

__all__ = ["Condition", "compile_filter", "field_path"]

_MAX_DEPTH = 40
_MAX_PARAMETERS = 6000  # three a comparison; SQLite bounds parameters and the length of a statement
_COMPARE = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_INT64 = 1 << 63
_NEAR_OPERATOR = 0.8  # names this short are like each other at less, as $like and $lte


@dataclass(frozen=True, slots=True)
class Condition:
    """An SQL expression over the column ``body``, JSON text, that is 1 or 0.

    Parameters
    ----------
    parameters : of the expression.
    fields : that it looks at, once each, as the filter names them.
    """

    sql: str
    parameters: tuple[str | int | float, ...] = ()
    fields: tuple[str, ...] = field(default=(), repr=False)


def compile_filter(filter_: object) -> Condition:
    """Return the condition that a filter states.

    Parameters
    ----------
    filter_ : a dict. ``{"section": "python"}`` asks for equality; ``{"year": {"$gte": 2010, "$lt": 2020}}``
        compares; ``$in`` takes a list; ``$exists`` a bool; ``$not`` another filter, or what may stand
        for a field; ``$and`` and ``$or`` take a list of filters. Several fields must all hold.
        ``"author.name"`` looks into an object. A field that is not there is equal to nothing, so ``$ne``
        and ``$not`` hold for it. Numbers compare with numbers, text with text by code point.

    Raises
    ------
    InvalidInputError : not such a filter.

    Examples
    --------
    >>> compile_filter({"$or": []})
    Condition(sql='0', parameters=())
    """
    condition = _filter(filter_, 0)
    if len(condition.parameters) > _MAX_PARAMETERS:
        raise InvalidInputError(
            f"a filter may have {_MAX_PARAMETERS // 3} comparisons; this one has more. Use $in for long lists."
        )
    return replace(condition, fields=tuple(dict.fromkeys(_fields(filter_))))


def _fields(filter_: object) -> Iterator[str]:
    """Yield the fields that a filter, known to be one, looks at."""
    for name, value in filter_.items() if isinstance(filter_, Mapping) else ():
        if name in ("$and", "$or"):
            yield from (each for part in value for each in _fields(part))
        elif name == "$not":
            yield from _fields(value)
        else:
            yield name


def _filter(filter_: object, depth: int) -> Condition:
    if depth > _MAX_DEPTH:
        raise InvalidInputError(f"a filter may nest {_MAX_DEPTH} levels deep; this one nests deeper.")
    if not isinstance(filter_, Mapping):
        raise InvalidInputError(
            f'a filter must be a dict (a JSON object) such as {{"section": "python"}}; got {filter_!r}.'
        )
    return _joined([_entry(name, value, depth) for name, value in filter_.items()], "AND")


def _entry(name: object, value: object, depth: int) -> Condition:
    if name in ("$and", "$or"):
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise InvalidInputError(f"{name} takes a list of filters; got {value!r}.")
        return _joined([_filter(part, depth + 1) for part in value], "AND" if name == "$and" else "OR")
    if name == "$not":
        return _negated(_filter(value, depth + 1))
    if not isinstance(name, str) or name.startswith("$"):
        raise InvalidInputError(f"{name!r} is not a field, nor $and, $or or $not, which may stand in its place.")
    return _field(field_path(name), value, depth)


def _field(path: str, value: object, depth: int) -> Condition:
    if depth > _MAX_DEPTH:
        raise InvalidInputError(f"a filter may nest {_MAX_DEPTH} levels deep; this one nests deeper.")
    if not isinstance(value, Mapping):
        return _equal(path, value)
    if not value:
        raise InvalidInputError('a field needs a value or an operator such as {"$gte": 2010}; got {}.')
    return _joined([_operation(path, name, operand, depth) for name, operand in value.items()], "AND")


def _operation(path: str, name: object, operand: object, depth: int) -> Condition:
    if name == "$not":
        return _negated(_field(path, operand, depth + 1))
    if name in _COMPARE:
        return _compared(path, str(name), operand)
    simple: dict[object, Callable[[str, Any], Condition]] = {
        "$eq": _equal,
        "$ne": lambda path, operand: _negated(_equal(path, operand)),
        "$in": _among,
        "$exists": _exists,
    }
    if name == "$nin":  # which is near $in in spelling only
        raise InvalidInputError('\'$nin\' is not an operator of a filter; write {"$not": {"$in": [...]}}.')
    if name not in simple:
        known = [*map(str, simple), *_COMPARE, "$not"]
        hint = did_you_mean(str(name), known, cutoff=_NEAR_OPERATOR)
        raise InvalidInputError(f"{name!r} is not an operator of a filter. {hint}")
    return simple[name](path, operand)


def _equal(path: str, value: object) -> Condition:
    if value is None or isinstance(value, bool):
        kind = "null" if value is None else str(value).lower()
        return Condition("coalesce(json_type(body, ?) = ?, 0)", (path, kind))
    return _typed(path, "=", _scalar(value, "a field is compared with"))


def _compared(path: str, name: str, operand: object) -> Condition:
    if isinstance(operand, bool) or not isinstance(operand, str | int | float):
        raise InvalidInputError(f"{name} compares with a number or a text; got {operand!r}.")
    return _typed(path, _COMPARE[name], _scalar(operand, f"{name} compares with"))


def _among(path: str, operand: object) -> Condition:
    if isinstance(operand, str) or not isinstance(operand, Sequence):
        raise InvalidInputError(f"$in takes a list of values; got {operand!r}.")
    plain = [value for value in operand if value is not None and not isinstance(value, bool)]
    alternatives = [_equal(path, value) for value in operand if value is None or isinstance(value, bool)]
    values = [_scalar(value, "$in lists") for value in plain]
    # One parameter a kind, however long the list is: SQLite limits parameters, not JSON.
    for chosen in ([v for v in values if isinstance(v, str)], [v for v in values if not isinstance(v, str)]):
        if chosen:
            test = "json_extract(body, ?) IN (SELECT value FROM json_each(?))"
            parameters = (path, json.dumps(chosen, ensure_ascii=False), path)
            alternatives.append(Condition(f"coalesce({test}{_of_kind(chosen[0])}, 0)", parameters))
    return _joined(alternatives, "OR")


def _exists(path: str, operand: object) -> Condition:
    if not isinstance(operand, bool):
        raise InvalidInputError(f"$exists takes true or false, a bool; got {operand!r}.")
    return Condition(f"json_type(body, ?) IS {'NOT ' if operand else ''}NULL", (path,))


def _typed(path: str, comparison: str, value: str | int | float) -> Condition:
    # SQLite reads a number in JSON less exactly than Python: let it read ours in the same way.
    operand, parameter = ("CAST(? AS REAL)", float.__repr__(value)) if isinstance(value, float) else ("?", value)
    sql = f"json_extract(body, ?) {comparison} {operand}{_of_kind(value)}"
    return Condition(f"coalesce({sql}, 0)", (path, parameter, path))


def _of_kind(value: str | int | float) -> str:
    kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
    return f" AND json_type(body, ?) IN {kinds}"


def _joined(conditions: list[Condition], word: str) -> Condition:
    """Return all conditions joined as a balanced tree: SQLite bounds the depth of an expression."""
    if not conditions:
        return Condition("1" if word == "AND" else "0")
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    left, right = _joined(conditions[:half], word), _joined(conditions[half:], word)
    return Condition(f"({left.sql} {word} {right.sql})", left.parameters + right.parameters)


def _negated(condition: Condition) -> Condition:
    return Condition(f"(NOT {condition.sql})", condition.parameters)


def _scalar(value: object, what: str) -> str | int | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInputError(f"{what} a text, a number, a bool or None; got {value!r}.")
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise InvalidInputError(f"{what} numbers of 64 bits; got {value!r}.")
    if isinstance(value, float) and value - value != 0:
        raise InvalidInputError(f"{what} finite numbers; got {value!r}.")
    if isinstance(value, str):
        _check_text(value)
    return value


def field_path(name: str) -> str:
    """Return the SQLite path of a field; dots look into objects.

    Each part is spelled as ``check_metadata`` stores it: before version 3.45 SQLite compares names as they are written.
    """
    parts = name.split(".")
    if '"' in name or "\\" in name or not all(parts):
        raise InvalidInputError(f"a field to filter by has no quotes, backslashes or empty parts; got {name!r}.")
    _check_text(name)
    return "$" + "".join(f".{json.dumps(part)}" for part in parts)


def _check_text(text: str) -> None:
    # A lone surrogate has no UTF-8, and SQLite's functions end a text at NUL.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInputError(f"a filter's texts have neither NUL nor lone surrogates; got {text!r}.")
