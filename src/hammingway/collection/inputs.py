"""Checks of what is handed to a collection, done once at its edge."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from typing import Any, Literal, TypeGuard, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError

__all__ = [
    "MAX_METADATA",
    "OriginalType",
    "check_choice",
    "check_metadata",
    "check_names",
    "check_originals",
    "is_name",
]

MAX_METADATA = 1 << 16
MAX_NESTING = 256  # SQLite reads JSON a thousand levels deep, Python as deep as its stack has room
OriginalType = Literal["float32", "float16", "int8"]


def check_choice(name: str, value: object, choices: Any) -> None:
    """Raise InvalidInputError unless ``value`` is one of the values of a Literal type."""
    if value not in get_args(choices):
        raise InvalidInputError(f"{name} must be one of {', '.join(map(repr, get_args(choices)))}; got {value!r}.")


def check_names(ids: object, n: int | None = None) -> list[str]:
    """Return string ids as a list, or raise unless there are ``n``, distinct, of 1 to 1000 characters.

    Without ``n`` any number may come, and more than once.
    """
    if isinstance(ids, str) or not isinstance(ids, Sequence | np.ndarray):
        raise InvalidInputError(f"ids of this collection are strings; give a list of them. Got {type(ids).__name__}.")
    if isinstance(ids, np.ndarray) and ids.ndim != 1:
        raise ShapeError(f"ids must have shape (n,); got {ids.shape}.")
    names = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    if not _all_plain(names):
        names = [str(each) if isinstance(each, np.str_) else each for each in names]
        for name in names:
            if not is_name(name):
                raise InvalidInputError(
                    "ids of this collection are strings of 1 to 1000 characters, without NUL, encodable as UTF-8; "
                    f"got {name!r}."
                )
    if n is not None:
        if len(names) != n:
            raise ShapeError(f"{n} items need {n} ids; got {len(names)}.")
        if len(set(names)) != n:
            repeated = max(names, key=Counter(names).__getitem__)
            raise InvalidInputError(f"ids must be distinct; {repeated!r} is given more than once.")
    return names


def is_name(name: object) -> TypeGuard[str]:
    """Return whether ``name`` can be a string id: 1 to 1000 characters that UTF-8 has, none of them NUL."""
    return isinstance(name, str) and 1 <= len(name) <= 1000 and _is_text(name)


def _is_text(text: str) -> bool:
    """Return whether UTF-8 has all characters, and none of them is NUL."""
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return False
    return "\0" not in text


def _all_plain(names: list[Any]) -> bool:
    """Return whether all are string ids of type str, as most are: a look at the whole is many times as fast."""
    if set(map(type, names)) != {str} or min(map(len, names)) < 1 or max(map(len, names)) > 1000:
        return False
    return _is_text("".join(names))


def check_metadata(metadata: Sequence[Mapping[str, Any] | None] | None, n: int) -> list[str | None] | None:
    """Return metadata as JSON texts, None for an item without any, or raise.

    Raises
    ------
    ShapeError : not one a item.
    InvalidInputError : no list; or not dicts that JSON can hold, longer than ``MAX_METADATA`` characters, or nested
        deeper than ``MAX_NESTING`` levels.
    """
    if metadata is None:
        return None
    if isinstance(metadata, Mapping | str) or not isinstance(metadata, Sized):
        raise InvalidInputError(
            f"metadata must be a list of dicts, one an item (None for one without); got {type(metadata).__name__}."
        )
    if len(metadata) != n:
        raise ShapeError(f"{n} items need {n} dicts of metadata, or None for those without; got {len(metadata)}.")
    return [None if not fields else _json(fields) for fields in metadata]


def check_originals(vectors: ArrayLike, dtype: str, shape: tuple[int, int | None]) -> NDArray[Any]:
    """Return vectors as C-ordered ``dtype`` of ``shape``, (n, n_features or None for any), or raise.

    Raises
    ------
    ShapeError : another shape.
    InvalidInputError : not numbers, not finite, or out of the range of ``dtype``.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or len(array) != shape[0] or not array.shape[1] or shape[1] not in (None, array.shape[1]):
        columns = "n_features" if shape[1] is None else shape[1]
        raise ShapeError(f"vectors to keep must have shape ({shape[0]}, {columns}); got {array.shape}.")
    if array.dtype.kind not in ("iu" if dtype == "int8" else "fiu"):
        raise InvalidInputError(f"vectors to keep as {dtype} must be real numbers that fit; got {array.dtype}.")
    with np.errstate(over="ignore"):
        kept = np.ascontiguousarray(array, dtype=dtype)
    sound = np.array_equal(kept, array) if dtype == "int8" else bool(np.isfinite(kept).all())
    if not sound:
        raise InvalidInputError(f"vectors to keep hold a value that {dtype} cannot, or that is not finite.")
    return kept


def _json(fields: object) -> str:
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        raise InvalidInputError(f"an item's metadata must be a dict with text keys, or None; got {_shown(fields)}.")
    try:
        text = json.dumps(fields, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"an item's metadata must be JSON: {error}; got {_shown(fields)}.") from error
    if len(text) > MAX_METADATA:
        raise InvalidInputError(f"an item's metadata may have {MAX_METADATA} characters of JSON; got {len(text)}.")
    if text.count("{") + text.count("[") > MAX_NESTING and _nesting(fields) > MAX_NESTING:
        raise InvalidInputError(f"an item's metadata may nest {MAX_NESTING} levels deep; got {_shown(fields)}, deeper.")
    return text


def _shown(fields: object) -> str:
    """Return what tells metadata apart in a message: their values may be too deep or too long to print."""
    return f"fields {list(fields)[:5]}" if isinstance(fields, Mapping) else type(fields).__name__


def _nesting(fields: object) -> int:
    """Return how many objects and lists lie in each other, ``fields`` the first."""
    depth, level = 0, [fields]
    while level := [each for each in level if isinstance(each, dict | list | tuple)]:
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
        depth += 1
    return depth
