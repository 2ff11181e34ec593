"""Search among binary codes: exact, with ties by id, on any number of threads."""

from __future__ import annotations

from hammingway.indexes.base import Index
from hammingway.indexes.flat import FlatIndex
from hammingway.indexes.originals import Originals
from hammingway.indexes.rerank import Reranked, rerank

__all__ = ["FlatIndex", "Index", "Originals", "Reranked", "rerank"]
