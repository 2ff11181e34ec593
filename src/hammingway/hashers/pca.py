"""Principal directions as hash functions, plain and under a random rotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.hashers.linear import LinearHasher, check_enough_features
from hammingway.hashers.moments import orthonormal, principal_directions
from hammingway.hashers.rows import TrainingRows
from hammingway.hashers.threads import single_threaded_blas

__all__ = ["PCAHash", "RotatedPCAHash", "random_rotation"]


class PCAHash(LinearHasher):
    """Signs of the first principal components.

    Parameters
    ----------
    n_bits : bits a code, at most the number of features.
    random_state : int, RandomState or None; draws the training sample, nothing else.
    max_training_rows : rows to learn from; None streams over all of them.
    norm_correction : 'euclidean' or 'inner-product' to learn how much of a vector's norm :meth:`code_bias` adds to
        the scores of its code, for neighbours nearest by that; a few seconds more. None for no bias.

    Attributes
    ----------
    mean_ : float64 (n_features,), the training mean.
    weights_ : float32 (n_features, n_bits), principal directions by falling variance. Where the training rows
        span fewer than ``n_bits`` dimensions the remaining columns are zero and their bits never set.
    norm_correction_ : float64 (3,), amount, unit and mean of the bias; only with ``norm_correction``.

    References
    ----------
    X.-J. Wang, L. Zhang, F. Jing, W.-Y. Ma, "AnnoSearch: image auto-annotation by search", CVPR 2006; the
    name "PCAH" and the form sign(W^T (x - mean)) from Gong and Lazebnik, CVPR 2011, section 2.1. Deviates:
    the sign of each eigenvector is fixed, so that its largest element is positive.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 16))
    >>> PCAHash(12).fit(X).encode(X)
    Codes(50 codes of 12 bits)
    """

    registry_name = "pcah"

    def _resolve_n_bits(self, n_features: int) -> int:
        return check_enough_features(self, n_features)

    def _needed_rows(self) -> int:
        # n centred rows span n - 1 dimensions.
        return self.n_bits_ + 1

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        rows.work.plan(2 * len(rows))
        directions = principal_directions(rows, self.n_bits_)
        self.mean_ = directions.mean
        self.weights_ = np.zeros((rows.n_features, self.n_bits_), dtype=np.float32)
        self.weights_[:, : directions.vectors.shape[1]] = directions.vectors


class RotatedPCAHash(PCAHash):
    """Signs of the first principal components after a random rotation.

    The rotation spreads the variance evenly over the bits; without it the first bits carry nearly all of it.

    Parameters
    ----------
    n_bits : bits a code, at most the number of features.
    random_state : int, RandomState or None; draws the training sample and the rotation.
    max_training_rows : rows to learn from; None streams over all of them.
    norm_correction : 'euclidean' or 'inner-product' to learn how much of a vector's norm :meth:`code_bias` adds to
        the scores of its code, for neighbours nearest by that; a few seconds more. None for no bias.

    Attributes
    ----------
    mean_ : float64 (n_features,), the training mean.
    weights_ : float32 (n_features, n_bits), orthonormal columns where the training rows span ``n_bits`` dimensions.
    norm_correction_ : float64 (3,), amount, unit and mean of the bias; only with ``norm_correction``.

    References
    ----------
    "PCA-RR" of Y. Gong, S. Lazebnik, "Iterative quantization: a Procrustean approach to learning binary codes",
    CVPR 2011, section 2.2; first in H. Jégou et al., CVPR 2010. Deviates: none.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 16))
    >>> RotatedPCAHash(12, random_state=0).fit(X).encode(X)
    Codes(50 codes of 12 bits)
    """

    registry_name = "pcar"

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        rows.work.plan(2 * len(rows))
        directions = principal_directions(rows, self.n_bits_)
        rotation = random_rotation(rng, directions.vectors.shape[1], self.n_bits_)
        self.mean_ = directions.mean
        with single_threaded_blas():
            self.weights_ = (directions.vectors @ rotation).astype(np.float32)


def random_rotation(rng: np.random.RandomState, n_directions: int, n_bits: int) -> NDArray[np.float64]:
    """Return ``n_directions <= n_bits`` random orthonormal rows, float64 (n_directions, n_bits)."""
    return orthonormal(rng.standard_normal((n_directions, n_bits)).T).T
