"""Hashers learnt by gradient descent: one estimator, one training loop, an objective a paper.

Everything here needs PyTorch, the optional dependency ``hammingway[torch]``; names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hammingway.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("Deep hashing", "torch")

_HOMES = {
    "Batch": "hammingway.deep.batches",
    "DSH": "hammingway.deep.methods",
    "DeepHasher": "hammingway.deep.hasher",
    "HashNet": "hammingway.deep.methods",
    "Network": "hammingway.deep.networks.base",
    "Objective": "hammingway.deep.objectives.base",
    "TaskShape": "hammingway.deep.objectives.base",
    "Training": "hammingway.deep.config",
}

__all__ = ["DSH", "Batch", "DeepHasher", "HashNet", "Network", "Objective", "TaskShape", "Training"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hammingway.deep' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
