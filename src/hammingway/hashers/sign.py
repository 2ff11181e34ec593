"""The sign of the vectors themselves: nothing is projected."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.codes import check_n_bits
from hammingway.errors import InvalidInputError
from hammingway.hashers.base import DEFAULT_TRAINING_ROWS, Hasher
from hammingway.hashers.moments import summarise
from hammingway.hashers.norm_correction import NormMetric
from hammingway.hashers.rows import TrainingRows

__all__ = ["SignHash"]


class SignHash(Hasher):
    """One bit a feature: set where the feature is greater than zero.

    What vector databases call binary quantisation. The scores are the features themselves, as float32: a
    float64 below 7e-46 counts as zero.

    Parameters
    ----------
    n_bits : bits a code. None takes every feature; a smaller number the first ``n_bits`` of them, which suits
        embeddings trained to be cut short (Matryoshka); a larger number is refused.
    random_state : int, RandomState or None; draws the rows that are checked, nothing else.
    max_training_rows : rows read to check the data.
    norm_correction : 'euclidean' or 'inner-product' to learn how much of a vector's norm :meth:`code_bias` adds to
        the scores of its code, for neighbours nearest by that; a few seconds more. None for no bias.

    Attributes
    ----------
    norm_correction_ : float64 (3,), amount, unit and mean of the bias; only with ``norm_correction``.

    References
    ----------
    Threshold at zero of each coordinate, as in faiss' "LSH without rotation" and sentence-transformers'
    "binary" precision. Deviates: a value of exactly zero gives 0.

    Examples
    --------
    >>> SignHash().fit([[0.5, -1.0, 2.0]]).encode([[0.1, 0.2, -0.3]]).packed
    array([[3]], dtype=uint8)
    """

    registry_name = "sign"
    n_bits: int | None  # type: ignore[assignment]

    def __init__(
        self,
        n_bits: int | None = None,
        *,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = DEFAULT_TRAINING_ROWS,
        norm_correction: NormMetric | None = None,
    ) -> None:
        super().__init__(random_state=random_state, max_training_rows=max_training_rows)
        self.n_bits = n_bits
        self.norm_correction = norm_correction

    def _check_width(self) -> None:
        if self.n_bits is not None:
            super()._check_width()

    def _resolve_n_bits(self, n_features: int) -> int:
        if self.n_bits is None:
            return check_n_bits(n_features)
        if self.n_bits > n_features:
            raise InvalidInputError(
                f"SignHash has one bit a feature, so n_bits={self.n_bits} is too many for data of "
                f"n_features = {n_features}; use RandomHyperplanes [lsh] or SpectralHash [sh], or leave n_bits out."
            )
        return check_n_bits(self.n_bits)

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        rows.work.plan(len(rows))
        summarise(rows.blocks)  # refuses NaN and infinity; nothing is kept

    def _project(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return rows[:, : self.n_bits_]
