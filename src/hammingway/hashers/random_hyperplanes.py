"""Random hyperplanes: the hash that learns nothing, and the baseline of all that learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError
from hammingway.hashers.base import DEFAULT_TRAINING_ROWS
from hammingway.hashers.linear import LinearHasher
from hammingway.hashers.moments import orthonormal, summarise
from hammingway.hashers.norm_correction import NormMetric
from hammingway.hashers.rows import TrainingRows

__all__ = ["RandomHyperplanes"]


class RandomHyperplanes(LinearHasher):
    """Signs of the projections on random Gaussian directions; any number of bits.

    Two vectors at angle θ differ in a bit with probability θ/π (Charikar 2002, section 3), so the Hamming
    distance estimates the angle.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096; may exceed the number of features.
    random_state : int, RandomState or None; draws the directions.
    max_training_rows : rows read to check the data and, with ``center``, to find the mean.
    orthogonal : make the directions of each run of ``n_features`` bits orthogonal. They then cover the space more
        evenly, and the distance estimates the angle with less variance. False draws them independently.
    center : subtract the training mean first. Hyperplanes through the origin split data that lie far
        from it badly, for example pixels, which are never negative.
    norm_correction : 'euclidean' or 'inner-product' to learn how much of a vector's norm :meth:`code_bias` adds to
        the scores of its code, for neighbours nearest by that; a few seconds more. None for no bias.

    Attributes
    ----------
    mean_ : float64 (n_features,), the training mean, or zeros without ``center``.
    weights_ : float32 (n_features, n_bits), unit columns.
    norm_correction_ : float64 (3,), amount, unit and mean of the bias; only with ``norm_correction``.

    References
    ----------
    M. Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002, equation for the
    random hyperplane hash, h_r(u) = 1 if r·u >= 0. J. Ji, J. Li, S. Yan, B. Zhang, Q. Tian, "Super-bit
    locality-sensitive hashing", NIPS 2012, algorithm 1, for ``orthogonal``. Deviates: a score of exactly zero gives
    0; directions have unit length, which changes no bit and makes the score the distance to the hyperplane;
    ``center`` is an addition; ``orthogonal=False`` is Charikar's hash, the default that of faiss' IndexLSH.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float16)
    >>> RandomHyperplanes(256, random_state=0).fit(X).encode(X)
    Codes(50 codes of 256 bits)
    """

    registry_name = "lsh"

    def __init__(
        self,
        n_bits: int = 64,
        *,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = DEFAULT_TRAINING_ROWS,
        orthogonal: bool = True,
        center: bool = False,
        norm_correction: NormMetric | None = None,
    ) -> None:
        super().__init__(
            n_bits,
            random_state=random_state,
            max_training_rows=max_training_rows,
            norm_correction=norm_correction,
        )
        self.orthogonal = orthogonal
        self.center = center

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("orthogonal", "center"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise InvalidInputError(f"{name} must be True or False; got {getattr(self, name)!r}.")

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        rows.work.plan(len(rows))
        columns = summarise(rows.blocks)
        self.mean_ = columns.mean if self.center else np.zeros(rows.n_features)
        directions = rng.standard_normal((self.n_bits_, rows.n_features)).T
        self.weights_ = (_orthogonal(directions) if self.orthogonal else _unit(directions)).astype(np.float32)


def _unit(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = directions / np.linalg.norm(directions, axis=0)
    return scaled


def _orthogonal(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns made orthonormal, as many at a time as the space has dimensions."""
    n_features, n_bits = directions.shape
    batches = [directions[:, start : start + n_features] for start in range(0, n_bits, n_features)]
    return np.hstack([orthonormal(batch) for batch in batches])
