"""What this installation can do: versions, kernel, threads, extras, data folder."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from typing import Any

from hammingway import __version__
from hammingway.extras import requirements

__all__ = ["describe_environment", "extras", "package_versions"]


def describe_environment() -> dict[str, Any]:
    """Return everything a bug report or a benchmark record needs to say about this installation.

    Keys: ``hammingway``, ``python``, ``platform``, ``kernel`` (``backend``, ``available``, ``machine``,
    ``threads``), ``packages`` (name -> version, None where missing), ``extras`` (extra -> packages),
    ``data_folder`` (local copies of data sets, from ``HAMMINGWAY_DATA``; None where it is not set),
    ``download_folder`` (where the others are fetched to).
    """
    from hammingway import kernels
    from hammingway.datasets import DATA_VARIABLE
    from hammingway.datasets.download import cache_folder

    return {
        "hammingway": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "kernel": kernels.info(),
        "packages": package_versions(_requirements().get("", [])),
        "extras": extras(),
        "data_folder": os.environ.get(DATA_VARIABLE) or None,
        "download_folder": str(cache_folder("")),
    }


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
    return {
        extra: [name for line in lines if (name := re.split(r"[^\w.-]", line, maxsplit=1)[0]) != "hammingway"]
        for extra, lines in requirements().items()
    }
