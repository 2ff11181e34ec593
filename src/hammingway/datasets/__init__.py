"""Data sets by name in the field's named protocols, hold-out splits of any array, and files of vectors."""

from hammingway.datasets.named import DATA_VARIABLE, NamedDataSet, load, protocols
from hammingway.datasets.protocols import SPLIT_SEED, Balanced, Official, Pool
from hammingway.datasets.retrieval import RetrievalData, from_vectors, seeded_order

__all__ = [
    "DATA_VARIABLE",
    "SPLIT_SEED",
    "Balanced",
    "NamedDataSet",
    "Official",
    "Pool",
    "RetrievalData",
    "from_vectors",
    "load",
    "protocols",
    "seeded_order",
]
