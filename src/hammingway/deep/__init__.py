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
    "AutoHash": "hammingway.deep.methods",
    "Batch": "hammingway.deep.batches",
    "BiHalf": "hammingway.deep.methods",
    "CIBHash": "hammingway.deep.methods",
    "CSQ": "hammingway.deep.methods",
    "DPSH": "hammingway.deep.methods",
    "DSH": "hammingway.deep.methods",
    "DeepHasher": "hammingway.deep.hasher",
    "GreedyHash": "hammingway.deep.methods",
    "HAGCN": "hammingway.deep.methods",
    "HashNet": "hammingway.deep.methods",
    "HashNetShannon": "hammingway.deep.methods",
    "JMLH": "hammingway.deep.methods",
    "Network": "hammingway.deep.networks.base",
    "Objective": "hammingway.deep.objectives.base",
    "OrthoHash": "hammingway.deep.methods",
    "PseudoShannonHamming": "hammingway.deep.methods",
    "QuadShannonHamming": "hammingway.deep.methods",
    "ShannonHamming": "hammingway.deep.methods",
    "TaskShape": "hammingway.deep.objectives.base",
    "Training": "hammingway.deep.config",
}

__all__ = [
    "CSQ",
    "DPSH",
    "DSH",
    "HAGCN",
    "JMLH",
    "AutoHash",
    "Batch",
    "BiHalf",
    "CIBHash",
    "DeepHasher",
    "GreedyHash",
    "HashNet",
    "HashNetShannon",
    "Network",
    "Objective",
    "OrthoHash",
    "PseudoShannonHamming",
    "QuadShannonHamming",
    "ShannonHamming",
    "TaskShape",
    "Training",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hammingway.deep' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
