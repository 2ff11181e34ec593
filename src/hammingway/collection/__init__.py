"""Collections: encoder, codes, ids, metadata and originals in one directory that survives a crash."""

from __future__ import annotations

from hammingway.collection.collection import Collection
from hammingway.collection.fields import UnknownFieldWarning
from hammingway.collection.results import (
    CollectionStats,
    Items,
    NamedNeighbors,
    NamedRanges,
    NamedReranked,
    NamedScored,
)

__all__ = [
    "Collection",
    "CollectionStats",
    "Items",
    "NamedNeighbors",
    "NamedRanges",
    "NamedReranked",
    "NamedScored",
    "UnknownFieldWarning",
]
