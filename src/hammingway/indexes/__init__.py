"""Search among binary codes: exact, with ties by id, on any number of threads."""

from __future__ import annotations

from hammingway.indexes.base import Index
from hammingway.indexes.certified import Certificate, CertifiedNeighbors, CertifiedRanges, CertifiedScored
from hammingway.indexes.filters import Filter
from hammingway.indexes.flat import FlatIndex
from hammingway.indexes.ivf import IVFIndex
from hammingway.indexes.loading import load_index
from hammingway.indexes.multi import MultiIndex
from hammingway.indexes.originals import Originals
from hammingway.indexes.rerank import Reranked, rerank
from hammingway.indexes.table import TableIndex

__all__ = [
    "Certificate",
    "CertifiedNeighbors",
    "CertifiedRanges",
    "CertifiedScored",
    "Filter",
    "FlatIndex",
    "IVFIndex",
    "Index",
    "MultiIndex",
    "Originals",
    "Reranked",
    "TableIndex",
    "load_index",
    "rerank",
]
