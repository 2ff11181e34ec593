"""What every hasher shares: a score a bit, codes from the scores' signs, checks, saving."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_is_fitted, validate_data

from hammingway.codes import Codes, check_n_bits
from hammingway.errors import InvalidInputError, ShapeError
from hammingway.hashers.norm_correction import Basis, NormMetric, check_norm_metric, learn_norm_correction
from hammingway.hashers.rows import TrainingRows, Work, check_matrix, float_rows
from hammingway.hashers.saving import fingerprint, save_hasher
from hammingway.hashers.threads import for_each
from hammingway.progress import Progress, row_chunks

__all__ = ["DEFAULT_TRAINING_ROWS", "Hasher", "LearnedArray"]

DEFAULT_TRAINING_ROWS = 100_000
_BLOCK_BYTES = 2**20  # of float64 rows: about a processor core's second-level cache
_BLOCKS_A_CHUNK = 64  # between two calls of progress
_LARGEST_BIAS = float(np.finfo(np.float32).max)
_NORM_CORRECTION: Mapping[str, LearnedArray] = {"norm_correction_": (np.float64, (3,))}

LearnedArray = tuple[type[np.generic], tuple[str | int, ...]]
"""A learned array's dtype and its dimensions: sizes, or names, of which 'n_features' and 'n_bits' are the hasher's."""


class Hasher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of all hashers: a scikit-learn transformer from vectors to binary codes.

    A hasher gives one real score a bit; the sign is the code, the magnitude the confidence. A new hasher
    states ``registry_name`` and ``learned_arrays`` and writes ``_fit`` and ``_project``.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096.
    random_state : int for the same hasher every time; None for another each time; or a NumPy ``RandomState``.
    max_training_rows : rows to learn from, >= 1; a seeded sample is drawn where X has more. None takes
        all rows, still read in blocks.

    Attributes
    ----------
    n_features_in_ : columns of the training data.
    n_bits_ : bits a code.

    Notes
    -----
    X may be any real numeric array, float16 or integer too, or a memory-mapped file larger than memory: it is
    read in blocks and never copied as a whole. A row's scores and code depend on nothing but the row.
    """

    supervised: ClassVar[bool] = False
    fits_together: ClassVar[bool] = False  # whether several processes, each with all the data, fit one hasher
    registry_name: ClassVar[str]
    learned_arrays: ClassVar[Mapping[str, LearnedArray]] = {}

    norm_correction: NormMetric | None = None  # of a hasher that takes no such argument
    n_features_in_: int
    n_bits_: int
    norm_correction_: NDArray[np.float64]

    def __init__(
        self,
        n_bits: int = 64,
        *,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = DEFAULT_TRAINING_ROWS,
    ) -> None:
        self.n_bits = n_bits
        self.random_state = random_state
        self.max_training_rows = max_training_rows

    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, progress: Progress | None = None) -> Self:
        """Learn from X, numeric (n, n_features), and return the hasher itself.

        Parameters
        ----------
        X : numeric (n, n_features), finite.
        y : labels, used by supervised hashers only; ignored by the others.
        progress : told the rows read, over all passes.

        Raises
        ------
        InvalidInputError : a parameter or value cannot be used, or there are too few rows.
        ShapeError : X is not two-dimensional.
        """
        matrix = check_matrix(X)
        self._check_parameters()
        validate_data(self, X, skip_check_array=True)
        self.n_bits_ = self._resolve_n_bits(matrix.shape[1])
        self._check_enough_rows(len(matrix))
        rng = self._random_generator()
        rows = TrainingRows(matrix, self._sample(len(matrix), rng), Work(progress))
        self._fit(rows, y, rng)
        self._prepare()
        if self.norm_correction is not None:
            basis = Basis(self.norm_correction, self._origin())
            self.norm_correction_ = learn_norm_correction(rows, self._project, basis, rng)
        return self

    def project(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the scores of X, float32 (n, n_bits); a bit is set where its score is greater than zero."""
        return self._scores(X, self._project)

    def project_queries(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the scores of queries, float32 (n, n_bits), for asymmetric search.

        They are those of :meth:`project`, unless the hasher has learnt another map for queries.
        """
        return self.project(X)

    @property
    def has_bias(self) -> bool:
        """Whether :meth:`code_bias` gives a bias: ``norm_correction`` was asked for, and helped."""
        check_is_fitted(self)
        if self.norm_correction is None:
            return False
        check_is_fitted(self, "norm_correction_")  # it may have been asked for since
        return bool(self.norm_correction_[0] > 0)

    def code_bias(self, X: ArrayLike) -> NDArray[np.float32] | None:
        """Return what to add to the scores of the codes of X, float32 (n,), or None where there is nothing to add.

        Hand it to ``index.add(hasher.encode(X), bias=hasher.code_bias(X))``; None leaves the codes without. With
        ``norm_correction`` it is λ (t - t̄) / u, in the unit of :meth:`project`, where t is ``-|x - o|² / 2`` for
        'euclidean' and ``|x|² / 2`` for 'inner-product', o what the hasher subtracts from a vector, t̄ the mean of t
        on the training rows, and u the mean of ``|x - o|²`` over that of ``Σ|score|``, which makes an inner product
        of a score. λ >= 0 was chosen by :meth:`fit`. A hasher without ``norm_correction``, and one whose λ is 0,
        gives None. A bias stays within the range of float32.
        """
        matrix = self._check_new(X)
        if not self.has_bias or self.norm_correction is None:
            return None
        basis = Basis(self.norm_correction, self._origin())
        amount, unit, mean = self.norm_correction_
        bias = np.empty(len(matrix), dtype=np.float32)

        def keep(rows: slice, block: NDArray[np.float32]) -> None:
            bias[rows] = block

        def measure(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            exact: NDArray[np.float64] = amount * (basis.term(rows) - mean) / unit
            return np.clip(exact, -_LARGEST_BIAS, _LARGEST_BIAS)

        self._each_block(matrix, keep, measure)
        return bias

    def encode(self, X: ArrayLike, *, progress: Progress | None = None) -> Codes:
        """Return the codes of X, numeric (n, n_features); ``progress`` is told the rows done."""
        matrix = self._check_new(X)
        packed = np.empty((len(matrix), -(-self.n_bits_ // 8)), dtype=np.uint8)

        def keep(rows: slice, block: NDArray[np.float32]) -> None:
            packed[rows] = np.packbits(block > 0, axis=1, bitorder="little")

        self._each_block(matrix, keep, self._project, progress)
        return Codes(packed, self.n_bits_)

    def transform(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Return the packed codes of X, uint8 (n, ceil(n_bits / 8)), for use in a scikit-learn pipeline."""
        return self.encode(X).packed

    @property
    def needs_labels(self) -> bool:
        """Whether ``fit`` cannot do without labels."""
        return bool(self.__sklearn_tags__().target_tags.required)

    def check_options(self) -> None:
        """Raise for a parameter that cannot be used, before there is any data; ``fit`` does it too.

        Raises
        ------
        InvalidInputError, ConfigError, UnknownNameError : what is wrong, and what there is instead.
        """
        self._check_parameters()
        self._random_generator()

    def check_features(self, n_features: int) -> None:
        """Raise for options that do not go with rows of this width, as far as that is known before any row is read.

        More bits than a hasher can take of the features are no such mistake: a plan may try widths, and tells of those
        that are refused.

        Raises
        ------
        InvalidInputError, ConfigError, FileFormatError : what is wrong, and what there is instead.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted hasher to ``path`` (safetensors and JSON, no pickle); see :func:`load_hasher`.

        A ``random_state`` that is a ``RandomState`` object is not stored: the loaded hasher has None there.
        It gives the same codes; only fitting it again would draw other numbers.

        Raises
        ------
        InvalidInputError : a parameter is not a plain value, or the class is not registered.
        """
        check_is_fitted(self)
        save_hasher(self, path)

    def fingerprint(self) -> str:
        """Return ``b2:`` and a digest over class, parameters and learned arrays; it survives save and load."""
        check_is_fitted(self)
        return fingerprint(self)

    @abstractmethod
    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        """Set the arrays that ``learned_arrays`` names."""

    @abstractmethod
    def _project(self, rows: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        """Return the scores (n, n_bits) of float64 (n, n_features) rows, which may be overwritten.

        Called from several threads at once. Row i of the result may depend on row i alone.
        """

    def _prepare(self) -> None:
        """Derive from the learned arrays what ``_project`` needs; called after fit and after load."""

    def _description(self) -> dict[str, Any]:
        """Return what a file says of this hasher, in plain values, beside its parameters: what its arrays are for."""
        return {}

    def _layout(self, description: Mapping[str, Any]) -> Mapping[str, LearnedArray]:
        """Return which arrays belong to a hasher so described.

        Raises
        ------
        HammingwayError : the description is of no hasher that there is.
        """
        return self.learned_arrays if self.norm_correction is None else {**self.learned_arrays, **_NORM_CORRECTION}

    def _learned(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that a file holds, by name."""
        check_is_fitted(self, list(layout := Hasher._layout(self, {})))
        return {name: getattr(self, name) for name in layout}

    def _set_learned(self, arrays: Mapping[str, NDArray[Any]], description: Mapping[str, Any]) -> None:
        """Take the arrays that a file held; they are of the right shapes and finite."""
        for name, array in arrays.items():
            setattr(self, name, array)

    def _check_learned(self) -> None:
        """Raise InvalidInputError where loaded arrays of the right shape still make no sense."""
        if self.norm_correction is not None and (self.norm_correction_[0] < 0 or self.norm_correction_[1] <= 0):
            raise InvalidInputError("norm_correction_ has a negative amount, or a unit that is not positive.")

    def _origin(self) -> NDArray[np.float64]:
        """Return what ``_project`` subtracts from a row, float64 (n_features,)."""
        return np.zeros(self.n_features_in_)

    def _check_parameters(self) -> None:
        """Raise InvalidInputError for a constructor argument out of its range."""
        self._check_width()
        check_norm_metric(self.norm_correction)
        if self.max_training_rows is not None:
            check_whole_number("max_training_rows", self.max_training_rows)

    def _check_width(self) -> None:
        """Raise InvalidInputError for an ``n_bits`` that no hasher of this kind can have."""
        check_n_bits(self.n_bits)

    def _resolve_n_bits(self, n_features: int) -> int:
        """Return the bits a code for data of this width, or raise where there can be none."""
        return check_n_bits(self.n_bits)

    def _needed_rows(self) -> int:
        """Return how many training rows are the least that make sense."""
        return 1

    def _check_enough_rows(self, n_rows: int) -> None:
        needed, name = self._needed_rows(), f"{type(self).__name__} of {self.n_bits_} bits"
        if n_rows < needed:
            raise ShapeError(f"{name} needs at least {needed} training rows; got n_samples = {n_rows}.")
        if self.max_training_rows is not None and self.max_training_rows < needed:
            raise InvalidInputError(
                f"{name} needs at least {needed} training rows; max_training_rows={self.max_training_rows} is fewer."
            )

    @property
    def _n_features_out(self) -> int:
        return -(-self.n_bits_ // 8)

    def _random_generator(self) -> np.random.RandomState:
        try:
            rng: np.random.RandomState = check_random_state(self.random_state)
        except ValueError as error:
            raise InvalidInputError(
                f"random_state must be None, an int or a numpy RandomState; got {self.random_state!r}."
            ) from error
        return rng

    def _sample(self, n_rows: int, rng: np.random.RandomState) -> NDArray[np.int64] | None:
        if self.max_training_rows is None or n_rows <= self.max_training_rows:
            return None
        chosen = sample_without_replacement(n_rows, self.max_training_rows, random_state=rng)
        return np.sort(chosen).astype(np.int64)

    def _check_new(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        matrix = check_matrix(X)
        if matrix.shape[1] != self.n_features_in_:
            raise ShapeError(
                f"X has {matrix.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input."
            )
        validate_data(self, X, skip_check_array=True, reset=False)
        return matrix

    def _scores(
        self, X: ArrayLike, project: Callable[[NDArray[np.float64]], NDArray[np.floating[Any]]]
    ) -> NDArray[np.float32]:
        """Return what ``project`` gives of X, checked and read in blocks."""
        matrix = self._check_new(X)
        scores = np.empty((len(matrix), self.n_bits_), dtype=np.float32)

        def keep(rows: slice, block: NDArray[np.float32]) -> None:
            scores[rows] = block

        self._each_block(matrix, keep, project)
        return scores

    def _rows_a_block(self) -> int:
        """Return how many rows ``_project`` is given at a time."""
        return max(1, min(1024, _BLOCK_BYTES // (8 * max(self.n_features_in_, self.n_bits_))))

    def _each_block(
        self,
        matrix: NDArray[Any],
        keep: Callable[[slice, NDArray[np.float32]], None],
        project: Callable[[NDArray[np.float64]], NDArray[np.floating[Any]]],
        progress: Progress | None = None,
    ) -> None:
        block_rows = self._rows_a_block()

        def work(start: int) -> None:
            rows = slice(start, min(start + block_rows, len(matrix)))
            keep(rows, project(float_rows(matrix, rows)).astype(np.float32))

        for chunk in row_chunks(len(matrix), block_rows * _BLOCKS_A_CHUNK, progress):
            for_each(work, range(chunk.start, chunk.stop, block_rows))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # codes are bytes whatever comes in
        tags.target_tags.required = self.supervised
        return tags


def check_whole_number(name: str, value: object) -> None:
    """Raise unless ``value`` is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise InvalidInputError(f"{name} must be a whole number of at least 1; got {value!r}.")
