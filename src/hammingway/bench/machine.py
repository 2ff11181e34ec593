"""The hardware and software a record was measured with."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hammingway import __version__, kernels

__all__ = ["describe_machine"]

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch")  # the last is optional


def describe_machine() -> dict[str, Any]:
    """Return the processor, threads, kernel, operating system and versions in use.

    Keys: ``cpu`` (model), ``threads`` (that this process may use, and the searches do), ``kernel`` (backend),
    ``blas`` (library and threads), ``system``, ``python``, ``hammingway`` and one for each library that is installed.
    """
    return {
        "cpu": _cpu_model(),
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "kernel": kernels.BACKEND,
        "blas": _blas(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "hammingway": __version__,
        **_versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _cpu_model() -> str:
    """Return the processor's name where the system tells it, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> str:
    from threadpoolctl import threadpool_info

    found = [f"{pool['internal_api']} ({pool['num_threads']} threads)" for pool in threadpool_info()]
    return ", ".join(sorted(set(found))) or "unknown"
