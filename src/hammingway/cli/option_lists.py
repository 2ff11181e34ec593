"""The options that ``--param``, ``--set`` and plans take, with their defaults, from the class that defines them."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import msgspec

from hammingway import registry
from hammingway.cli.hasher_choice import OWN_OPTIONS
from hammingway.config import Config, to_mapping

__all__ = ["described", "hasher_parameters", "options_of", "training_options", "typed", "typed_parameter"]

_ENTRY = re.compile(r"(\w+(?:, \w+)*) : (.*)")
_ROLE = re.compile(r":\w+(?::\w+)*:`~?([^`]*)`")


def hasher_parameters(name: str) -> dict[str, dict[str, Any]]:
    """Return parameter -> its ``default`` and ``what`` it is, of the hasher registered as ``name``.

    ``random_state`` is left out: a fit from the shell always gives it, as its seed. Where a parameter is None for what
    the class has of its own, that is the default.

    Raises
    ------
    UnknownNameError : no such name.
    MissingExtraError : a deep hasher, and PyTorch is not installed.
    """
    kind = registry.load("hashers", name)
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        texts |= _parameters(one.__dict__.get("__doc__") or "")
    return {
        parameter.name: {"default": _default(kind, parameter), "what": texts.get(parameter.name, "")}
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.name != "random_state"
    }


def _default(kind: type, parameter: inspect.Parameter) -> Any:
    own = getattr(kind, f"default_{parameter.name}", None)
    return parameter.default if parameter.default is not None or own is None else dict(own)


def options_of(kind: str, name: str) -> dict[str, dict[str, Any]]:
    """Return option -> its ``default`` and ``what`` it is, of the objective or network registered as ``name``.

    Raises
    ------
    UnknownNameError : no such name.
    MissingExtraError : PyTorch is not installed.
    """
    return described(registry.load(kind, name).Options)


def training_options() -> dict[str, dict[str, Any]]:
    """Return the same of how networks are trained.

    Raises
    ------
    MissingExtraError : PyTorch is not installed.
    """
    from hammingway.deep.config import Training

    return described(Training)


def described(kind: type[Config]) -> dict[str, dict[str, Any]]:
    """Return option -> its default, as JSON holds it, and the text of the class's docstring, those of bases first."""
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        for name, text in _parameters(one.__dict__.get("__doc__") or "").items():
            texts[name] = f"{texts.get(name, '')} {text}".strip()
    defaults = to_mapping(kind())
    return {
        field.name: {"default": defaults[field.name], "what": texts.get(field.name, "")}
        for field in msgspec.structs.fields(kind)
    }


def typed(name: str, default: Any) -> str:
    """Return an option as it is typed behind ``--set``.

    Examples
    --------
    >>> typed("hidden", [64, 32]), typed("filter", "gcn"), typed("margin", None)
    ('hidden=[64,32]', 'filter=gcn', 'margin=null')
    """
    value = default if isinstance(default, str) else json.dumps(default, separators=(",", ":"))
    return f"{name}={value}"


def typed_parameter(name: str, default: Any) -> str:
    """Return a hasher's parameter as it is typed behind ``hammingway fit``.

    Examples
    --------
    >>> typed_parameter("n_bits", 64), typed_parameter("prefix_bits", None)
    ('--bits 64', '--param prefix_bits=null')
    """
    if name not in OWN_OPTIONS:
        return f"--param {typed(name, default)}"
    return OWN_OPTIONS[name] if default is None else f"{OWN_OPTIONS[name]} {default}"


def _parameters(docstring: str) -> dict[str, str]:
    """Return name -> text of the section Parameters, on one line."""
    _, _, section = inspect.cleandoc(docstring).partition("Parameters\n----------\n")
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry is not None:
            names = entry[1].split(", ")
            texts |= dict.fromkeys(names, entry[2])
        elif line.startswith(" "):
            texts |= {name: f"{texts[name]} {line.strip()}" for name in names}
        else:
            break
    return {name: _plain(text) for name, text in texts.items()}


def _plain(text: str) -> str:
    """Return a docstring's text as a terminal shows it; what is None in Python is typed as null."""
    return re.sub(r"\bNone\b", "null", _ROLE.sub(r"\1", text).replace("``", ""))
