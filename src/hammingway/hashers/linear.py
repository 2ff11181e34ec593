"""Hashers whose scores are a linear map of the centred vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError
from hammingway.hashers.base import DEFAULT_TRAINING_ROWS, Hasher, LearnedArray
from hammingway.hashers.fixed_point import FixedPointProduct
from hammingway.hashers.norm_correction import NormMetric

__all__ = ["LinearHasher", "check_enough_features", "check_largest_weight"]

_LARGEST_WEIGHT = 1e36  # float32 reaches 3e38; a rotation adds up to n_bits of them, root by square


class LinearHasher(Hasher):
    """Base of the linear hashers: score = (x - mean) · weights.

    Parameters
    ----------
    n_bits, random_state, max_training_rows : as for :class:`Hasher`.
    norm_correction : the metric of which :meth:`code_bias` takes care, or None.

    Attributes
    ----------
    mean_ : float64 (n_features,), subtracted from every vector.
    weights_ : float32 (n_features, n_bits), one direction a bit.
    """

    learned_arrays: ClassVar[Mapping[str, LearnedArray]] = {
        "mean_": (np.float64, ("n_features",)),
        "weights_": (np.float32, ("n_features", "n_bits")),
    }
    mean_: NDArray[np.float64]
    weights_: NDArray[np.float32]

    def __init__(
        self,
        n_bits: int = 64,
        *,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = DEFAULT_TRAINING_ROWS,
        norm_correction: NormMetric | None = None,
    ) -> None:
        super().__init__(n_bits, random_state=random_state, max_training_rows=max_training_rows)
        self.norm_correction = norm_correction

    def _origin(self) -> NDArray[np.float64]:
        return self.mean_

    def _prepare(self) -> None:
        self._product = FixedPointProduct(self.weights_, self.mean_)

    def _project(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._product(rows)


def check_enough_features(hasher: Hasher, n_features: int) -> int:
    """Return ``n_bits``, which a hasher on principal directions cannot have more of than features."""
    if hasher.n_bits > n_features:
        raise InvalidInputError(
            f"{type(hasher).__name__} takes one direction a bit, so n_bits={hasher.n_bits} is too many for data of "
            f"n_features = {n_features}; use RandomHyperplanes [lsh] or SpectralHash [sh], or fewer bits."
        )
    return hasher.n_bits


def check_largest_weight(weight: float) -> None:
    """Raise InvalidInputError if weights this large, as tiny features need them, would be beyond float32."""
    if not weight <= _LARGEST_WEIGHT:
        raise InvalidInputError("the features vary too little for weights in float32; multiply X by a power of ten.")
