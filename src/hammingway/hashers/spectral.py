"""Spectral hashing: the smoothest waves along the principal directions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hammingway.errors import InvalidInputError
from hammingway.hashers.base import Hasher, LearnedArray
from hammingway.hashers.fixed_point import FixedPointProduct
from hammingway.hashers.moments import principal_directions
from hammingway.hashers.rows import TrainingRows

__all__ = ["SpectralHash"]

# sin(pi s) = sum of these times s, s³, s⁵, ...; for |s| <= 1/2 the first term left out is below 1e-12.
_SINE = [(-1) ** i * math.pi ** (2 * i + 1) / math.factorial(2 * i + 1) for i in range(9)]


class SpectralHash(Hasher):
    """Signs of the lowest-frequency eigenfunctions of a uniform distribution over the data's principal box.

    On each of the first min(n_bits, n_features) principal directions the data range over an interval of length R.
    Its eigenfunctions are sin(π/2 + m π t / R) for t from the interval's start and m = 1, 2, ...;
    the ``n_bits`` of lowest frequency m π / R over all directions are the hash functions.

    Outside the training range the waves simply go on, so a vector far outside wraps around and can get the code of
    one inside; this is so in the paper too.

    Parameters
    ----------
    n_bits : bits a code, 1 to 4096; may exceed the number of features.
    random_state : int, RandomState or None; draws the training sample, nothing else.
    max_training_rows : rows to learn from; None streams over all of them.

    Attributes
    ----------
    mean_ : float64 (n_features,), the training mean.
    directions_ : float64 (n_features, n_directions), principal directions.
    start_ : float64 (n_directions,), least training value on each direction.
    length_ : float64 (n_directions,), length of the training range, > 0.
    axis_ : int64 (n_bits,), the direction a bit looks at.
    mode_ : int64 (n_bits,), its number of half waves over the range, >= 1.

    References
    ----------
    Y. Weiss, A. Torralba, R. Fergus, "Spectral hashing", NIPS 2008, section 3, equations 8 and 9 and
    the algorithm after them. Deviates: a score of exactly zero gives 0; ties between frequencies go to the direction
    of larger variance; the sine is a polynomial of our own (error below 1e-12), the same on every machine.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> SpectralHash(24).fit(X).encode(X)
    Codes(50 codes of 24 bits)
    """

    registry_name = "sh"
    learned_arrays: ClassVar[Mapping[str, LearnedArray]] = {
        "mean_": (np.float64, ("n_features",)),
        "directions_": (np.float64, ("n_features", "n_directions")),
        "start_": (np.float64, ("n_directions",)),
        "length_": (np.float64, ("n_directions",)),
        "axis_": (np.int64, ("n_bits",)),
        "mode_": (np.int64, ("n_bits",)),
    }
    mean_: NDArray[np.float64]
    directions_: NDArray[np.float64]
    start_: NDArray[np.float64]
    length_: NDArray[np.float64]
    axis_: NDArray[np.int64]
    mode_: NDArray[np.int64]

    def _needed_rows(self) -> int:
        return 2

    def _fit(self, rows: TrainingRows, y: ArrayLike | None, rng: np.random.RandomState) -> None:
        rows.work.plan(3 * len(rows))
        directions = principal_directions(rows, min(self.n_bits_, rows.n_features, len(rows) - 1))
        self.mean_, self.directions_ = directions.mean, directions.vectors
        product = FixedPointProduct(self.directions_, self.mean_)
        low, high = np.inf, -np.inf
        for block in rows.blocks():
            values = product(block)
            low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
        self.start_, self.length_ = np.asarray(low), np.asarray(high - low)
        self.axis_, self.mode_ = lowest_modes(self.length_, self.n_bits_)

    def _check_learned(self) -> None:
        if np.any(self.length_ <= 0) or np.any(self.mode_ < 1):
            raise InvalidInputError("a range or a mode is not positive.")
        if np.any((self.axis_ < 0) | (self.axis_ >= len(self.length_))):
            raise InvalidInputError("a bit looks at a direction that is not there.")

    def _prepare(self) -> None:
        self._product = FixedPointProduct(self.directions_, self.mean_)
        self._half_waves = self.mode_ / self.length_[self.axis_]

    def _project(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        offsets = self._product(rows)
        offsets -= self.start_
        return cosine_of_half_turns(offsets[:, self.axis_] * self._half_waves)


def lowest_modes(length: NDArray[np.float64], n_bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return axis and mode, int64 (n_bits,) each, of the lowest frequencies mode / length; ties by axis."""
    # The longest axis alone has n_bits modes up to frequency n_bits / max(length); the rest can only be lower.
    counts = np.floor(n_bits * length / length.max()).astype(np.int64)
    axis = np.repeat(np.arange(len(length)), counts)
    mode = np.concatenate([np.arange(1, count + 1) for count in counts])
    chosen = np.lexsort((axis, mode / length[axis]))[:n_bits]
    return axis[chosen], mode[chosen]


def cosine_of_half_turns(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cos(π t), float64, of any shape; by additions and products alone, thus the same everywhere."""
    remainder = turns - 2.0 * np.rint(turns / 2.0)  # exact: within [-1, 1]
    height = 0.5 - np.abs(remainder)
    square = height * height
    result = np.full_like(square, _SINE[-1])
    for coefficient in _SINE[-2::-1]:
        result *= square
        result += coefficient
    result *= height
    return result
