"""Contract suites for authors of plugins: what every hasher and every exact index must do.

>>> from hammingway.indexes import FlatIndex
>>> from hammingway.testing import check_index
>>> check_index(FlatIndex, widths=[9])
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["check_hasher", "check_index"]

# scikit-learn takes over a second to import: only who checks a hasher pays for it.
_HOMES = {"check_hasher": "hammingway.testing.hashers", "check_index": "hammingway.testing.indexes"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hammingway.testing' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
