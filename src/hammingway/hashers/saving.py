"""Fitted hashers as files: registry name, parameters and learned arrays; never pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hammingway import registry
from hammingway.codes import MAX_BITS
from hammingway.errors import ConfigError, FileFormatError, HammingwayError, InvalidInputError, UnknownNameError
from hammingway.storage import digest, read_arrays, write_arrays

if TYPE_CHECKING:
    from hammingway.hashers.base import Hasher, LearnedArray

__all__ = ["fingerprint", "load_hasher", "save_hasher"]

_KIND = "hasher"
# Parameters that older versions did not know: left out where they are None, so that fingerprints stay what they were.
_LEFT_OUT = {"norm_correction", "prefix_bits"}
_LARGEST = {"n_bits": MAX_BITS, "n_features": 2**31 - 1}


def save_hasher(hasher: Hasher, path: str | os.PathLike[str]) -> None:
    """Write a fitted hasher to ``path`` in one atomic step; see :meth:`Hasher.save`."""
    name = type(hasher).registry_name
    if name not in registry.names("hashers") or registry.load("hashers", name) is not type(hasher):
        raise InvalidInputError(
            f"{type(hasher).__name__} is not what is registered as {name!r}, so it could not be loaded again; register "
            "it as an entry point of the group hammingway.hashers."
        )
    write_arrays(path, hasher._learned(), kind=_KIND, header=_header(hasher))


def load_hasher(path: str | os.PathLike[str]) -> Hasher:
    """Return the fitted hasher that :meth:`Hasher.save` wrote to ``path``.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : not a hasher's file, damaged, of an unknown hasher, or with arrays that do not fit.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from hammingway.hashers import RandomHyperplanes, load_hasher
    >>> hasher = RandomHyperplanes(8, random_state=0).fit(np.eye(4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hasher.save(pathlib.Path(folder, "lsh.hasher"))
    ...     load_hasher(pathlib.Path(folder, "lsh.hasher")).fingerprint() == hasher.fingerprint()
    True
    """
    arrays, header = read_arrays(path, kind=_KIND)
    _check_header(header, path)
    hasher = _construct(header, path)
    description = header.get("description", {})
    try:
        layout = hasher._layout(description)
    except HammingwayError as error:
        raise FileFormatError(f"{path} holds a hasher that cannot be built: {error}") from error
    hasher._set_learned(_fitting(hasher, arrays, layout, path), description)
    try:
        hasher._check_parameters()
        hasher._random_generator()
        if hasher._resolve_n_bits(hasher.n_features_in_) != hasher.n_bits_:
            raise InvalidInputError(f"the parameters do not give codes of {hasher.n_bits_} bits.")
        hasher._check_learned()
    except (InvalidInputError, ConfigError) as error:
        raise FileFormatError(f"{path} is damaged: {error}") from error
    hasher._prepare()
    return hasher


def fingerprint(hasher: Hasher) -> str:
    """Return ``b2:`` and a BLAKE2b digest of class, parameters, width and learned arrays."""
    described = {
        "class": type(hasher).__name__,
        "header": _header(hasher),
        "arrays": {name: digest(array) for name, array in hasher._learned().items()},
    }
    canonical = json.dumps(described, sort_keys=True).encode()
    return "b2:" + hashlib.blake2b(canonical, digest_size=16).hexdigest()


def _header(hasher: Hasher) -> dict[str, Any]:
    names = getattr(hasher, "feature_names_in_", None)
    description = hasher._description()
    parameters = {name: _plain(name, value) for name, value in hasher.get_params(deep=False).items()}
    return {
        "hasher": type(hasher).registry_name,
        "parameters": {name: value for name, value in parameters.items() if value is not None or name not in _LEFT_OUT},
        "n_features": int(hasher.n_features_in_),
        "n_bits": int(hasher.n_bits_),
        "feature_names": None if names is None else [str(name) for name in names],
    } | ({"description": description} if description else {})


def _plain(name: str, value: object) -> Any:
    """Return a parameter as JSON holds it; a generator object has no lasting value and becomes None."""
    if isinstance(value, np.random.RandomState):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(name, item) for key, item in value.items()}
    raise InvalidInputError(f"parameter {name} is a {type(value).__name__}; only plain values can be saved.")


def _check_header(header: dict[str, Any], path: str | os.PathLike[str]) -> None:
    kinds = {"hasher": str, "parameters": dict, "n_features": int, "n_bits": int, "description": dict}
    given = {"description": {}} | header
    wrong = [key for key, kind in kinds.items() if not isinstance(given.get(key), kind)]
    # Before anything is built in this size.
    wrong += [key for key, most in _LARGEST.items() if key not in wrong and not 1 <= given[key] <= most]
    names = header.get("feature_names")
    if names is not None and not (
        isinstance(names, list)
        and len(names) == header.get("n_features")
        and all(isinstance(name, str) for name in names)
    ):
        wrong.append("feature_names")
    if wrong:
        raise FileFormatError(f"{path} is damaged: its header has no valid {', '.join(wrong)}. Write it again.")


def _construct(header: Mapping[str, Any], path: str | os.PathLike[str]) -> Hasher:
    try:
        kind = registry.load("hashers", header["hasher"])
    except UnknownNameError as error:
        raise FileFormatError(f"{path} needs a hasher that is not installed: {error}") from error
    unknown = set(header["parameters"]) - set(kind._get_param_names())
    if unknown:
        raise FileFormatError(
            f"{path} has parameters that {kind.__name__} does not know: {', '.join(sorted(unknown))}. "
            "It may come from a newer version; upgrade Hammingway."
        )
    hasher: Hasher = kind(**header["parameters"])
    hasher.n_features_in_ = header["n_features"]
    hasher.n_bits_ = header["n_bits"]
    if header.get("feature_names") is not None:
        hasher.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    return hasher


def _fitting(
    hasher: Hasher, arrays: Mapping[str, NDArray[Any]], layout: Mapping[str, LearnedArray], path: str | os.PathLike[str]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``layout``, each of the right dtype and shape, without NaN or infinity."""
    sizes: dict[str, int] = {"n_features": hasher.n_features_in_, "n_bits": hasher.n_bits_}
    for name, (dtype, dimensions) in layout.items():
        if name not in arrays:
            raise FileFormatError(f"{path} is damaged: array {name!r} is missing. Write it again.")
        array = arrays[name]
        fits = array.ndim == len(dimensions) and all(
            size == (dimension if isinstance(dimension, int) else sizes.setdefault(dimension, size))
            for dimension, size in zip(dimensions, array.shape, strict=True)
        )
        if not fits or array.dtype != dtype:
            expected = ", ".join(
                str(dimension) if isinstance(dimension, int) else f"{dimension} = {sizes.get(dimension, 'any')}"
                for dimension in dimensions
            )
            raise FileFormatError(
                f"{path} is damaged: array {name!r} is {array.dtype} {array.shape}; {np.dtype(dtype)} ({expected}) was "
                "expected. Write it again."
            )
        if not np.all(np.isfinite(array)):
            raise FileFormatError(f"{path} is damaged: array {name!r} holds NaN or infinity. Write it again.")
    return {name: arrays[name] for name in layout}
