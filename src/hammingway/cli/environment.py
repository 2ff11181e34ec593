"""What this installation can do: versions, kernel, threads, extras, data folder."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from typing import Any

from hammingway import __version__

__all__ = ["describe_environment", "extras", "package_versions", "usable_cores"]


def describe_environment() -> dict[str, Any]:
    """Return everything a bug report or a benchmark record needs to say about this installation.

    Keys: ``hammingway``, ``python``, ``platform``, ``kernel`` (``backend``, ``available``), ``threads``,
    ``packages`` (name -> version, None where missing), ``extras`` (extra -> packages), ``data_folder``.
    """
    from hammingway import datasets, kernels

    return {
        "hammingway": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "kernel": {"backend": kernels.BACKEND, "available": kernels.available()},
        "threads": usable_cores(),
        "packages": package_versions(_requirements().get("", [])),
        "extras": extras(),
        "data_folder": str(datasets.data_folder()),
    }


def usable_cores() -> int:
    """Return how many cores this process may use, which a container or ``taskset`` may limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def extras() -> dict[str, dict[str, str | None]]:
    """Return extra -> package -> installed version or None, in the order of pyproject.toml.

    An extra that only gathers others (``all``) is left out.
    """
    return {extra: package_versions(names) for extra, names in _requirements().items() if extra and names}


def package_versions(names: list[str]) -> dict[str, str | None]:
    """Return name -> installed version, None where the distribution is missing."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> dict[str, list[str]]:
    """Return extra -> required distributions as the installed metadata has them; "" is the base."""
    table: dict[str, list[str]] = {}
    for requirement in metadata.requires("hammingway") or []:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", requirement)
        names = table.setdefault(extra[1] if extra else "", [])
        if name != "hammingway":
            names.append(name)
    return table
