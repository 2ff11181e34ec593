"""Means, covariances and principal directions of training rows, the same on any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError
from hammingway.hashers.fixed_point import exact_gram
from hammingway.hashers.rows import TrainingRows
from hammingway.hashers.threads import single_threaded_blas

__all__ = [
    "Columns",
    "Directions",
    "covariance",
    "leading_eigenvectors",
    "orthonormal",
    "principal_directions",
    "summarise",
]

Blocks = Callable[[], Iterator[NDArray[np.float64]]]
"""Starts another pass over the training rows; its blocks may be overwritten."""

_RANK_TOLERANCE = 1e-12  # of the largest variance: above the rounding of covariance and decomposition


@dataclass(frozen=True)
class Columns:
    """Per column: ``mean`` and ``largest`` distance from it, float64 (n_columns,); and the number of rows."""

    mean: NDArray[np.float64]
    largest: NDArray[np.float64]
    n_rows: int


@dataclass(frozen=True)
class Directions:
    """``vectors`` float64 (n_features, n_directions), orthonormal columns, by falling variance; ``mean``."""

    mean: NDArray[np.float64]
    vectors: NDArray[np.float64]


def summarise(blocks: Blocks) -> Columns:
    """Return mean and range of every column, in one pass."""
    total = low = high = None
    n_rows = 0
    for block in blocks():
        n_rows += len(block)
        total = block.sum(axis=0) if total is None else total + block.sum(axis=0)
        low = block.min(axis=0) if low is None else np.minimum(low, block.min(axis=0))
        high = block.max(axis=0) if high is None else np.maximum(high, block.max(axis=0))
    if total is None or low is None or high is None:
        raise InvalidInputError("no training rows were given.")
    # A sum rounds: the mean of a constant column must be that constant, or its rounding passes for variance.
    mean = np.clip(total / n_rows, low, high)
    return Columns(mean, np.maximum(high - mean, mean - low), n_rows)


def covariance(blocks: Blocks, columns: Columns) -> NDArray[np.float64]:
    """Return the covariance matrix, float64 (n_columns, n_columns), divided by n; one more pass."""
    total = np.zeros((len(columns.mean), len(columns.mean)))
    # For speed alone, the products are exact: BLAS' own threads gain little on blocks this small, and spin.
    with single_threaded_blas():
        for block in blocks():
            block -= columns.mean
            total += exact_gram(block, columns.largest)
    return total / columns.n_rows


def leading_eigenvectors(symmetric: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ``count`` largest eigenvalues, falling, and their eigenvectors as columns.

    An eigenvector's sign is arbitrary: its element of largest magnitude is made positive.
    """
    from scipy.linalg import eigh

    size = len(symmetric)
    with single_threaded_blas():
        values, vectors = eigh(symmetric, subset_by_index=(size - count, size - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    strongest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None, :], axis=0)
    return values, np.ascontiguousarray(vectors * np.where(strongest < 0, -1.0, 1.0))


def orthonormal(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns of float64 (n, m), m <= n, made orthonormal in their order (Gram and Schmidt)."""
    with single_threaded_blas():
        q, r = np.linalg.qr(columns)
    # QR leaves the signs to the library; Gaussian columns give a uniform rotation only when they are fixed.
    signed: NDArray[np.float64] = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return signed


def principal_directions(rows: TrainingRows, count: int) -> Directions:
    """Return the first ``count`` principal directions, fewer where the rows span fewer dimensions; two passes.

    Raises
    ------
    InvalidInputError : all training rows are equal.
    """
    columns = summarise(rows.blocks)
    values, vectors = leading_eigenvectors(covariance(rows.blocks, columns), count)
    if values[0] <= 0:
        raise InvalidInputError(
            f"the {len(rows)} training rows (n_features = {rows.n_features}) are all equal, or differ by next to "
            "nothing, so no direction separates them; fit on rows that differ, or rescale them."
        )
    return Directions(columns.mean, vectors[:, values > _RANK_TOLERANCE * values[0]])
