"""Results that say how they were found, and which of them are proven to be a scan's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import ShapeError
from hammingway.results import Neighbors, Ranges, Scored

__all__ = ["Certificate", "CertifiedNeighbors", "CertifiedRanges", "CertifiedScored", "certificate_of_scans"]


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What was done for each query, and what it proves.

    Parameters
    ----------
    exact : bool (n_queries,); True where the result is proven to be the scan's, ties included.
    radius : int32 (n_queries,), in bits: every code of the index this near was compared with the query;
        -1 where not even equal codes were, ``n_bits`` where all were.
    by_scan : bool (n_queries,); True where a scan gave the answer.
    probes : int64 (n_queries,), buckets looked up.
    candidates : int64 (n_queries,), distances measured on the way; those of the scan are not among them.
    """

    exact: NDArray[np.bool_]
    radius: NDArray[np.int32]
    by_scan: NDArray[np.bool_]
    probes: NDArray[np.int64]
    candidates: NDArray[np.int64]

    def __post_init__(self) -> None:
        shape = self.exact.shape
        others = self.radius.shape, self.by_scan.shape, self.probes.shape, self.candidates.shape
        if len(shape) != 1 or others != (shape,) * 4:
            raise ShapeError(f"a certificate needs one number a query in each field; got {shape} and {others}.")

    def __len__(self) -> int:
        return len(self.exact)


@lru_cache(maxsize=32)
def certificate_of_scans(n_queries: int, n_bits: int) -> Certificate:
    """Return the certificate of answers that a scan gave; its arrays are shared, and read-only."""
    everything, none = np.ones(n_queries, np.bool_), np.zeros(n_queries, np.int64)
    certificate = Certificate(everything, np.full(n_queries, n_bits, np.int32), everything, none, none)
    for array in (everything, certificate.radius, none):
        array.flags.writeable = False
    return certificate


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedNeighbors(Neighbors):
    """Neighbors with the certificate of each query's row.

    Parameters
    ----------
    certificate : one entry a query.
    """

    certificate: Certificate


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedRanges(Ranges):
    """Ranges with the certificate of each query's part.

    Parameters
    ----------
    certificate : one entry a query.
    """

    certificate: Certificate


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedScored(Scored):
    """Scored with the certificate of each query's row.

    Parameters
    ----------
    certificate : one entry a query; a radius is in bits from the signs of its scores, -1 where not known.
    """

    certificate: Certificate
