"""Iterative quantisation: the rotation of the principal components nearest to its own signs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from threading import Lock
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError
from hammingway.hashers.base import DEFAULT_TRAINING_ROWS, LearnedArray, check_whole_number
from hammingway.hashers.fixed_point import FixedPointProduct, to_fixed_point
from hammingway.hashers.linear import LinearHasher, check_enough_features
from hammingway.hashers.moments import Directions, principal_directions
from hammingway.hashers.norm_correction import NormMetric
from hammingway.hashers.pca import random_rotation
from hammingway.hashers.rows import TrainingRows
from hammingway.hashers.threads import for_each, single_threaded_blas

__all__ = ["ITQ", "embed", "learn_rotation"]

_ROTATION_ROWS = 2048
_VALUE_BITS = 24  # the whole numbers a float32 holds exactly


class ITQ(LinearHasher):
    """Signs of the principal components under the rotation that loses least by taking signs.

    Minimises ``||B - V R||²`` over codes B in {-1, 1} and rotations R by turns, V being the centred data
    on their first ``n_bits`` principal directions: B = sign(V R), then R = Ŝ Sᵀ from the singular value
    decomposition Bᵀ V = S Ω Ŝᵀ.

    Parameters
    ----------
    n_bits : bits a code, at most the number of features.
    random_state : int, RandomState or None; draws the training sample and the first rotation.
    max_training_rows : rows to learn from. A fit holds 4 * n_bits bytes a row.
    n_iterations : turns, >= 1; the paper uses 50.
    norm_correction : 'euclidean' or 'inner-product' to learn how much of a vector's norm :meth:`code_bias` adds to
        the scores of its code, for neighbours nearest by that; a few seconds more. None for no bias.

    Attributes
    ----------
    mean_ : float64 (n_features,), the training mean.
    rotation_ : float64 (n_directions, n_bits), orthonormal rows; n_directions is ``n_bits``, or fewer where the
        training rows span fewer dimensions.
    weights_ : float32 (n_features, n_bits), principal directions times rotation.
    norm_correction_ : float64 (3,), amount, unit and mean of the bias; only with ``norm_correction``.

    References
    ----------
    Y. Gong, S. Lazebnik, "Iterative quantization: a Procrustean approach to learning binary codes", CVPR
    2011, equation 2 and section 2.2. Deviates: a score of exactly zero counts as -1 (bit 0) in training as
    in encoding; V is rounded to 24 bits and R to at least 17, so that the result does not depend on threads.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 16))
    >>> ITQ(12, random_state=0).fit(X).encode(X)
    Codes(200 codes of 12 bits)
    """

    registry_name = "itq"
    learned_arrays: ClassVar[Mapping[str, LearnedArray]] = {
        **LinearHasher.learned_arrays,
        "rotation_": (np.float64, ("n_directions", "n_bits")),
    }
    rotation_: NDArray[np.float64]

    def __init__(
        self,
        n_bits: int = 64,
        *,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = DEFAULT_TRAINING_ROWS,
        n_iterations: int = 50,
        norm_correction: NormMetric | None = None,
    ) -> None:
        super().__init__(
            n_bits,
            random_state=random_state,
            max_training_rows=max_training_rows,
            norm_correction=norm_correction,
        )
        self.n_iterations = n_iterations

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_whole_number("n_iterations", self.n_iterations)

    def _check_learned(self) -> None:
        super()._check_learned()
        if not np.allclose(self.rotation_ @ self.rotation_.T, np.eye(len(self.rotation_)), atol=1e-6):
            raise InvalidInputError("rotation_ has rows that are not orthonormal.")

    def _resolve_n_bits(self, n_features: int) -> int:
        return check_enough_features(self, n_features)

    def _needed_rows(self) -> int:
        return self.n_bits_ + 1

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        rows.work.plan((3 + self.n_iterations) * len(rows))
        self._rotate(rows, principal_directions(rows, self.n_bits_), rng)

    def _rotate(self, rows: TrainingRows, directions: Directions, rng: np.random.RandomState) -> None:
        """Learn the rotation of the rows on ``directions`` and set the learned arrays."""
        start = random_rotation(rng, directions.vectors.shape[1], self.n_bits_)
        embedded = embed(rows, directions)
        self.rotation_ = learn_rotation(
            embedded, start, n_iterations=self.n_iterations, advance=lambda: rows.work.advance(len(rows))
        )
        self.mean_ = directions.mean
        with single_threaded_blas():
            self.weights_ = (directions.vectors @ self.rotation_).astype(np.float32)


def embed(rows: TrainingRows, directions: Directions) -> NDArray[np.float32]:
    """Return the rows on ``directions``, float32 (n, n_directions), as whole numbers of one common scale."""
    product = FixedPointProduct(directions.vectors, directions.mean)
    embedded = np.empty((len(rows), directions.vectors.shape[1]), dtype=np.float32)
    with single_threaded_blas():
        for place, block in zip(rows.slices(), rows.blocks(), strict=True):
            embedded[place] = product(block)
    exponent = math.frexp(max(float(embedded.max()), -float(embedded.min())))[1]
    # A power of two, so this does not round; the next line does.
    np.ldexp(embedded, _VALUE_BITS - exponent, out=embedded)
    return np.rint(embedded, out=embedded)


def _add_products(embedded: NDArray[np.float32], rotation: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    """Add ``Vᵀ sign(V R)`` to ``target``."""
    lock = Lock()

    def add(start: int) -> None:
        chunk = embedded[start : start + _ROTATION_ROWS].astype(np.float64)
        product = chunk.T @ np.where(chunk @ rotation > 0, 1.0, -1.0)
        # Whole numbers below 2**53, so the order in which threads come here changes nothing.
        with lock:
            np.add(target, product, out=target)

    for_each(add, range(0, len(embedded), _ROTATION_ROWS))


def learn_rotation(
    embedded: NDArray[np.float32],
    rotation: NDArray[np.float64],
    *,
    n_iterations: int,
    advance: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Return the rotation, float64 (n_directions, n_bits) with orthonormal rows, after ``n_iterations`` turns.

    Parameters
    ----------
    embedded : float32 (n, n_directions), centred, whole numbers of magnitude <= 2**24, so that all sums are exact.
    rotation : float64 (n_directions, n_bits), the start; n_directions <= n_bits, orthonormal rows. Fewer
        directions than bits make each bit a direction in the smaller space.
    advance : called after each turn.
    """
    n_bits = math.floor(29 - math.log2(len(rotation)))
    for _ in range(n_iterations):
        # The scale of a column does not change its signs, so the exponents are not needed.
        integers, _ = to_fixed_point(rotation.copy(), n_bits, axis=0)
        target = np.zeros(rotation.shape)  # Vᵀ B
        _add_products(embedded, integers, target)
        with single_threaded_blas():
            left, _, right = np.linalg.svd(target, full_matrices=False)
            rotation = left @ right
        advance()
    return rotation
