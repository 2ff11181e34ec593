"""How well codes use their bits: balance, correlation, entropy, buckets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hammingway import kernels
from hammingway.codes import MAX_BITS, Codes
from hammingway.errors import InvalidInputError
from hammingway.metrics.division import divide

__all__ = [
    "BucketOccupancy",
    "bit_balance",
    "bit_correlation",
    "bucket_occupancy",
    "code_entropy",
    "mean_absolute_bit_correlation",
]

_CHUNK_ROWS = MAX_BITS  # a chunk turned on its side is made of codes of that many bits


def bit_balance(codes: Codes) -> NDArray[np.float64]:
    """Balance of each bit: 1 where half the codes have it set, 0 where all or none have.

    For a bit set in a share ``p`` of the codes this is ``1 - |2p - 1|``. Unlike the shares, its mean over
    bits cannot look balanced by bits that are stuck at opposite values.

    Parameters
    ----------
    codes : at least one code.

    Returns
    -------
    balance : float64 (n_bits,), in [0, 1].

    Raises
    ------
    InvalidInputError : there are no codes.

    References
    ----------
    Weiss, Torralba & Fergus, "Spectral hashing", NIPS 2008, equation 1: each bit should be +1 as often as -1.

    Examples
    --------
    >>> bit_balance(Codes.from_bits([[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1]]))
    array([1. , 0. , 0.5])
    """
    balance: NDArray[np.float64] = 1.0 - np.abs(2.0 * _shares_set(codes) - 1.0)
    return balance


def bit_correlation(codes: Codes, *, n_threads: int | None = None) -> NDArray[np.float64]:
    """Pearson correlation of every pair of bits.

    Parameters
    ----------
    codes : at least one code.
    n_threads : threads of the kernel; None for all cores the process may use.

    Returns
    -------
    correlation : float64 (n_bits, n_bits), symmetric, in [-1, 1]; nan where one of the bits is constant.

    Raises
    ------
    InvalidInputError : there are no codes.

    References
    ----------
    Weiss, Torralba & Fergus, NIPS 2008, equation 1: bits should be uncorrelated.

    Examples
    --------
    >>> bit_correlation(Codes.from_bits([[0, 1, 1], [1, 0, 1], [0, 1, 1], [1, 0, 1]]))
    array([[ 1., -1., nan],
           [-1.,  1., nan],
           [nan, nan, nan]])
    """
    means = 2.0 * _shares_set(codes) - 1.0  # of the bits as -1 and +1
    differing = np.zeros((codes.n_bits, codes.n_bits), dtype=np.int64)
    for start in range(0, len(codes), _CHUNK_ROWS):
        sideways = np.packbits(codes[start : start + _CHUNK_ROWS].unpack().T, axis=1)
        differing += kernels.pairwise(sideways, sideways, n_threads=n_threads)
    covariance = 1.0 - 2.0 * differing / len(codes) - np.outer(means, means)
    deviation = np.sqrt(1.0 - means * means)
    scale = np.outer(deviation, deviation)
    # nan stays nan; rounding may pass 1 by a unit in the last place.
    return np.clip(divide(covariance, scale, undefined=np.nan), -1.0, 1.0)


def mean_absolute_bit_correlation(codes: Codes, *, n_threads: int | None = None) -> float:
    """Mean of ``|correlation|`` over the pairs of different bits that both vary; nan without such a pair.

    Parameters
    ----------
    codes : at least one code.
    n_threads : threads of the kernel; None for all cores the process may use.

    Raises
    ------
    InvalidInputError : there are no codes.

    Examples
    --------
    >>> mean_absolute_bit_correlation(Codes.from_bits([[0, 1, 1], [1, 0, 1], [0, 1, 1], [1, 0, 1]]))
    1.0
    """
    pairs = bit_correlation(codes, n_threads=n_threads)[np.triu_indices(codes.n_bits, 1)]
    defined = pairs[~np.isnan(pairs)]
    return float(np.mean(np.abs(defined))) if len(defined) else math.nan


def code_entropy(codes: Codes, *, correction: Literal["none", "miller-madow"] = "none") -> float:
    """Shannon entropy of the distribution of whole codes, in bits.

    Parameters
    ----------
    codes : at least one code.
    correction : "none" is the entropy of the observed shares (plug-in). It is never above log2(n), and biased
        **low** by about (K - 1) / (2 n ln 2) bits for K possible codes, beyond use where K is near n or
        above: a 64-bit hash of 60,000 items cannot score over 15.87. "miller-madow" adds that term with K
        the number of codes seen, which is still low where many were not.

    Returns
    -------
    entropy : bits, in [0, min(n_bits, log2 n)] without a correction.

    Raises
    ------
    InvalidInputError : there are no codes, or another correction.

    References
    ----------
    Miller, "Note on the bias of information estimates", in Information Theory in Psychology, 1955.

    Examples
    --------
    >>> code_entropy(Codes.from_bits([[0, 0], [0, 1], [1, 0], [1, 1]]))
    2.0
    """
    if correction not in ("none", "miller-madow"):
        raise InvalidInputError(f"correction must be 'none' or 'miller-madow'; got {correction!r}.")
    sizes = _bucket_sizes(codes)
    n_codes = len(codes)
    entropy = max(0.0, math.log2(n_codes) - float(np.sum(sizes * np.log2(sizes))) / n_codes)
    if correction == "miller-madow":
        entropy += (len(sizes) - 1) / (2.0 * n_codes * math.log(2.0))
    return entropy


@dataclass(frozen=True, slots=True, eq=False)
class BucketOccupancy:
    """How codes spread over the ``2 ** n_bits`` buckets of a hash table.

    Parameters
    ----------
    sizes : int64 (n_buckets,), codes in each bucket that holds any, largest first.
    n_bits : bits a code.

    Examples
    --------
    >>> occupancy = bucket_occupancy(Codes.from_bits([[0, 0], [0, 0], [1, 1], [0, 0]]))
    >>> occupancy.sizes.tolist(), occupancy.largest_share, occupancy.empty_share
    ([3, 1], 0.75, 0.5)
    >>> occupancy.collision_probability
    0.5
    """

    sizes: NDArray[np.int64]
    n_bits: int

    @property
    def n_codes(self) -> int:
        """Codes in all buckets."""
        return int(self.sizes.sum())

    @property
    def n_buckets(self) -> int:
        """Buckets that hold at least one code."""
        return len(self.sizes)

    @property
    def largest(self) -> int:
        """Codes in the fullest bucket."""
        return int(self.sizes[0])

    @property
    def largest_share(self) -> float:
        """Share of all codes that is in the fullest bucket, in (0, 1]."""
        return self.largest / self.n_codes

    @property
    def empty_share(self) -> float:
        """Share of the 2 ** n_bits buckets that holds no code, in [0, 1); near 1 whenever 2 ** n_bits >> n."""
        n_all: int = 2**self.n_bits
        return (n_all - self.n_buckets) / n_all

    @property
    def collision_probability(self) -> float:
        """Chance that two different items, drawn at random, have the same code; nan for a single item."""
        n_pairs = self.n_codes * (self.n_codes - 1)
        return float(np.sum(self.sizes * (self.sizes - 1))) / n_pairs if n_pairs else math.nan

    @property
    def mean_bucket_met(self) -> float:
        """Codes in the bucket of a stored item drawn at random, itself included: what looking it up costs."""
        return float(np.sum(self.sizes * self.sizes)) / self.n_codes

    def distribution(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the bucket sizes that occur, ascending, and how many buckets have each, both int64."""
        sizes, n_buckets = np.unique(self.sizes, return_counts=True)
        return sizes, n_buckets.astype(np.int64)


def bucket_occupancy(codes: Codes) -> BucketOccupancy:
    """Return how the codes spread over buckets, one bucket for each distinct code.

    Parameters
    ----------
    codes : at least one code.

    Raises
    ------
    InvalidInputError : there are no codes.

    Examples
    --------
    >>> bucket_occupancy(Codes.from_bits([[0, 0], [0, 0], [1, 1]])).distribution()
    (array([1, 2]), array([1, 1]))
    """
    return BucketOccupancy(np.sort(_bucket_sizes(codes))[::-1], codes.n_bits)


def _shares_set(codes: Codes) -> NDArray[np.float64]:
    """Return the share of the codes that has each bit set, float64 (n_bits,)."""
    _check_any(codes)
    n_set = np.zeros(codes.n_bits, dtype=np.int64)
    for start in range(0, len(codes), _CHUNK_ROWS):
        n_set += np.count_nonzero(codes[start : start + _CHUNK_ROWS].unpack(), axis=0)
    return n_set / len(codes)


def _bucket_sizes(codes: Codes) -> NDArray[np.int64]:
    """Return how many codes each distinct code stands for, int64, in no meaningful order."""
    _check_any(codes)
    whole_rows = codes.packed.view(f"V{codes.packed.shape[1]}").ravel()
    return np.unique(whole_rows, return_counts=True)[1].astype(np.int64)


def _check_any(codes: Codes) -> None:
    if not len(codes):
        raise InvalidInputError("there are no codes to describe; hand over at least one.")
