"""The optional dependencies of this package, as its installed metadata names them."""

from __future__ import annotations

import re
from importlib import metadata

__all__ = ["install_command", "requirements"]


def requirements() -> dict[str, list[str]]:
    """Return extra -> what it requires, such as 'torch>=2.6', in the order of pyproject.toml; "" is the base.

    Raises
    ------
    PackageNotFoundError : the package is imported without having been installed.
    """
    table: dict[str, list[str]] = {}
    for line in metadata.requires("hammingway") or []:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        table.setdefault(extra[1] if extra else "", []).append(requirement.strip())
    return table


def install_command(extra: str) -> str:
    """Return the command that installs what ``extra`` requires, wherever the package itself came from.

    Examples
    --------
    >>> install_command("tensorboard")
    "pip install 'torch>=2.6' 'tensorboard>=2.17'"
    """
    try:
        wanted = _resolved(extra, requirements())
    except metadata.PackageNotFoundError:
        wanted = [f".[{extra}]"]  # run from a clone that was never installed: install it, with the extra
    return " ".join(["pip install", *(f"'{requirement}'" for requirement in wanted)])


def _resolved(extra: str, table: dict[str, list[str]]) -> list[str]:
    """Return what ``extra`` requires, with that of the extras that it names in their place."""
    found: list[str] = []
    for requirement in table[extra]:
        own = re.fullmatch(r"hammingway\[([\w,-]+)\]", requirement.replace(" ", ""))
        found += [each for inner in own[1].split(",") for each in _resolved(inner, table)] if own else [requirement]
    return list(dict.fromkeys(found))
