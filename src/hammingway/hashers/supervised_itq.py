"""Supervised ITQ: canonical correlations with the labels instead of principal components."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.hashers.base import DEFAULT_TRAINING_ROWS
from hammingway.hashers.itq import ITQ
from hammingway.hashers.labels import class_labels, indicators
from hammingway.hashers.linear import check_largest_weight
from hammingway.hashers.moments import Directions, covariance, leading_eigenvectors, summarise
from hammingway.hashers.rows import TrainingRows
from hammingway.hashers.threads import single_threaded_blas

__all__ = ["Labels", "SupervisedITQ", "canonical_directions"]

_REGULARIZATION = (1e-12, 1e4)  # below, singular covariances stay so; above, every correlation is taken for rounding
_CORRELATION_TOLERANCE = 1e-9  # squared canonical correlations below are rounding


class SupervisedITQ(ITQ):
    """ITQ on the directions that correlate most with the labels (CCA-ITQ).

    Canonical correlation analysis between the vectors and their labels, as indicator columns, solves
    ``Sxy (Syy + ρI)⁻¹ Syx w = λ² (Sxx + ρI) w``; the data on the directions λ w are then rotated as in :class:`ITQ`.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096. Labels of c classes correlate with at most c - 1 directions; where ``n_bits``
        is larger, the bits are rotated out of these few directions, so more bits then refine the same
        (c - 1)-dimensional view and add no other.
    random_state : int, RandomState or None; draws the training sample and the first rotation.
    max_training_rows : rows to learn from. A fit holds 4 * min(n_bits, c - 1) bytes a row.
    n_iterations : turns of the rotation, >= 1.
    regularization : ρ as a share of the mean variance of a feature (of a label column for labels),
        1e-12 to 1e4.

    Attributes
    ----------
    mean_ : float64 (n_features,), the training mean.
    rotation_ : float64 (n_directions, n_bits), orthonormal rows.
    weights_ : float32 (n_features, n_bits), canonical directions times rotation.

    References
    ----------
    Y. Gong, S. Lazebnik, A. Gordo, F. Perronnin, "Iterative quantization: a Procrustean approach to learning
    binary codes for large-scale image retrieval", TPAMI 35(12), 2013, section 3.3, equation 6. Deviates: ρ is
    relative to the variance (the paper adds 1e-4 to data of its own scale); directions without
    correlation are left out instead of being multiplied by λ = 0, which gives the same codes.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> y = np.repeat(["cat", "dog", "owl"], 20)
    >>> SupervisedITQ(16, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "cca-itq"
    supervised = True

    def __init__(
        self,
        n_bits: int = 64,
        *,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = DEFAULT_TRAINING_ROWS,
        n_iterations: int = 50,
        regularization: float = 1e-4,
    ) -> None:
        super().__init__(
            n_bits, random_state=random_state, max_training_rows=max_training_rows, n_iterations=n_iterations
        )
        self.regularization = regularization

    def _check_parameters(self) -> None:
        super()._check_parameters()
        value: object = self.regularization
        least, most = _REGULARIZATION
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not least <= value <= most:
            raise InvalidInputError(f"regularization must be a number from {least:g} to {most:g}; got {value!r}.")

    def _resolve_n_bits(self, n_features: int) -> int:
        return int(self.n_bits)

    def _needed_rows(self) -> int:
        return 2

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        if y is None:
            raise InvalidInputError(
                "SupervisedITQ requires y to be passed, but the target y is None; pass class labels (n_samples,) or a "
                "0/1 indicator matrix (n_samples, n_labels), or use ITQ, which needs no labels."
            )
        labels = Labels(y, rows)
        rows.work.plan((3 + self.n_iterations) * len(rows))
        self._rotate(rows, canonical_directions(rows, labels, self.n_bits_, float(self.regularization)), rng)


class Labels:
    """The labels of the training rows as 0/1 columns, made block by block.

    Parameters
    ----------
    y : labels (n,) or (n, 1) of integers, whole floats, booleans or strings; or 0/1 indicators (n, n_labels).

    Raises
    ------
    ShapeError : y and X differ in rows.
    InvalidInputError : continuous or missing labels, or one class only.
    """

    def __init__(self, y: ArrayLike, rows: TrainingRows) -> None:
        array = np.asarray(y)
        if array.ndim not in (1, 2) or len(array) != len(rows.X):
            raise ShapeError(
                f"y must have one label or one row of 0/1 indicators for each of the {len(rows.X)} rows of X; "
                f"got shape {array.shape}."
            )
        if rows.indices is not None:
            array = array[rows.indices]
        if array.ndim == 2 and array.shape[1] > 1:
            self._indicators: NDArray[np.bool_] | None = indicators(array)
            self.n_columns = array.shape[1]
            return
        self._indicators = None
        classes, self._class_of = np.unique(class_labels(array.reshape(-1)), return_inverse=True)
        self.n_columns = len(classes)
        if self.n_columns < 2:
            raise InvalidInputError(
                f"y holds only one class, {str(classes[0])!r}; labels of at least two classes are needed to tell apart."
            )

    def columns(self, place: slice) -> NDArray[np.float64]:
        """Return float64 (n, n_columns) of zeros and ones for the training rows at ``place``."""
        if self._indicators is not None:
            return self._indicators[place].astype(np.float64)
        members: NDArray[np.bool_] = self._class_of[place, None] == np.arange(self.n_columns)
        return members.astype(np.float64)


def canonical_directions(rows: TrainingRows, labels: Labels, count: int, regularization: float) -> Directions:
    """Return at most ``count`` canonical directions, each scaled by its correlation; two passes.

    Raises
    ------
    InvalidInputError : nothing in X correlates with the labels.
    """
    from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

    def joint() -> Iterator[NDArray[np.float64]]:
        for place, block in zip(rows.slices(), rows.blocks(), strict=True):
            yield np.hstack([block, labels.columns(place)])

    columns = summarise(joint)
    together = covariance(joint, columns)
    d = rows.n_features
    x_scale, y_scale = np.trace(together[:d, :d]) / d, np.trace(together[d:, d:]) / labels.n_columns
    if x_scale <= 0 or y_scale <= 0:
        raise InvalidInputError(
            f"the training rows (n_features = {d}) or their labels are all equal, or differ by next to "
            "nothing, so nothing can be learnt; fit on rows that differ, or rescale them."
        )
    sxx = together[:d, :d] + regularization * x_scale * np.eye(d)
    syy = together[d:, d:] + regularization * y_scale * np.eye(labels.n_columns)
    sxy = together[:d, d:]
    with single_threaded_blas():
        factor = cholesky(sxx, lower=True)
        whitened = solve_triangular(factor, sxy, lower=True)  # L⁻¹ Sxy
        squared, vectors = leading_eigenvectors(
            whitened @ cho_solve(cho_factor(syy), whitened.T), min(count, d, labels.n_columns)
        )
        kept = squared > _CORRELATION_TOLERANCE
        if not kept.any():
            raise InvalidInputError("no direction of X correlates with the labels; check that rows and labels match.")
        directions = solve_triangular(factor.T, vectors[:, kept], lower=False) * np.sqrt(squared[kept])
    check_largest_weight(float(np.abs(directions).max()))
    return Directions(columns.mean[:d], directions)
