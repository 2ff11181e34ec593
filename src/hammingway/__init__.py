"""Learned binary codes and Hamming-space search.

Names load on first use, so that ``import hammingway`` stays fast:

>>> import hammingway as hw
>>> hw.Codes.from_scores([[1.0, -1.0]])
Codes(1 codes of 2 bits)

So do the modules that users need by name, such as ``hammingway.deep`` and ``hammingway.datasets``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "ITQ",
    "Codes",
    "Collection",
    "Distilled",
    "Filter",
    "FlatIndex",
    "HammingNeighbors",
    "Hasher",
    "IVFIndex",
    "MultiIndex",
    "Neighbors",
    "Originals",
    "PCAHash",
    "RandomHyperplanes",
    "Ranges",
    "Reranked",
    "RotatedPCAHash",
    "Scored",
    "SignHash",
    "SpectralHash",
    "SupervisedITQ",
    "TableIndex",
    "__version__",
    "load_hasher",
    "load_index",
    "rerank",
]

__version__ = "0.1.0"

_HOMES = {
    "Codes": "hammingway.codes",
    "Collection": "hammingway.collection",
    "Filter": "hammingway.indexes",
    "FlatIndex": "hammingway.indexes",
    "IVFIndex": "hammingway.indexes",
    "MultiIndex": "hammingway.indexes",
    "TableIndex": "hammingway.indexes",
    "HammingNeighbors": "hammingway.neighbors",
    "Neighbors": "hammingway.results",
    "Originals": "hammingway.indexes",
    "Ranges": "hammingway.results",
    "Reranked": "hammingway.indexes",
    "Scored": "hammingway.results",
    "Distilled": "hammingway.hashers",
    "Hasher": "hammingway.hashers",
    "ITQ": "hammingway.hashers",
    "PCAHash": "hammingway.hashers",
    "RandomHyperplanes": "hammingway.hashers",
    "RotatedPCAHash": "hammingway.hashers",
    "SignHash": "hammingway.hashers",
    "SpectralHash": "hammingway.hashers",
    "SupervisedITQ": "hammingway.hashers",
    "load_hasher": "hammingway.hashers",
    "load_index": "hammingway.indexes",
    "rerank": "hammingway.indexes",
}

_MODULES = ("datasets", "deep", "errors", "faiss_style", "hashers", "indexes", "metrics", "registry")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"hammingway.{name}")  # which sets the attribute
    if name not in _HOMES:
        raise AttributeError(f"module 'hammingway' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
