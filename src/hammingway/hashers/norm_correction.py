"""What the norm of a vector adds to the scores of its code, by an amount learnt on training rows.

A sum of a query's scores over the signs of a code follows the angle between query and vector; the order by
Euclidean distance or inner product depends on the vector's norm too, which the signs do not tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.random import sample_without_replacement

from hammingway.errors import InvalidInputError
from hammingway.hashers.nearest import nearest_rows
from hammingway.hashers.rows import TrainingRows, Work
from hammingway.hashers.threads import for_each

__all__ = ["AMOUNTS", "Basis", "NormMetric", "check_norm_metric", "learn_norm_correction"]

NormMetric = Literal["euclidean", "inner-product"]

AMOUNTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0)
"""The amounts that are compared; 1 is the formula taken at its word."""

_MOST_ROWS = 20_000  # searched while the amount is learnt
_MOST_QUERIES = 1_000  # of them asked with, each left out of its own search
_K = 10  # neighbours by which an amount is judged
_STANDARD_ERRORS = 2.0  # by which an amount must beat none at all
_BLOCK_VALUES = 2**22  # of a block of scores in each thread


class Basis(NamedTuple):
    """What the norm of a row is taken from.

    Parameters
    ----------
    metric : the order that scores shall follow.
    origin : float64 (n_features,), what the hasher subtracts from a row before it projects it.
    """

    metric: NormMetric
    origin: NDArray[np.float64]

    def term(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return -|x - origin|² / 2 of each row for 'euclidean', |x|² / 2 for 'inner-product', float64 (n,)."""
        if self.metric == "euclidean":
            return -_half_square(rows - self.origin)
        return _half_square(rows)

    def bonus(self, centred: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the inner product of rows less origin lacks for the exact order, float64 (n,)."""
        if self.metric == "euclidean":
            return -_half_square(centred)
        product: NDArray[np.float64] = (centred * self.origin).sum(axis=1)
        return product


def _half_square(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.square(rows).sum(axis=1)
    return squares / 2


def check_norm_metric(value: object) -> None:
    """Raise InvalidInputError unless ``value`` is None or a metric."""
    if value is not None and value not in get_args(NormMetric):
        raise InvalidInputError(
            f"norm_correction must be None or what neighbours are nearest by, {' or '.join(get_args(NormMetric))}; "
            f"got {value!r}."
        )


def learn_norm_correction(
    rows: TrainingRows,
    project: Callable[[NDArray[np.float64]], NDArray[np.floating[Any]]],
    basis: Basis,
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """Return amount λ, unit and mean of the term, float64 (3,); bias = λ (term - mean) / unit.

    The unit makes an inner product of a score: the mean of |x - origin|² over the mean score of a row with its own
    code. Up to 1,000 training rows are asked with, each left out of those searched, up to 20,000. The amount
    that finds most of their ten exact neighbours is taken, the least of equals; 0 unless it beats 0 by two
    standard errors.

    Parameters
    ----------
    project : gives the scores of float64 rows, which it may overwrite.
    rng : draws the rows.
    """
    some = _sample(rows, rng)
    x = np.concatenate(list(some.blocks()))
    scores = np.concatenate([project(x[place].copy()) for place in some.slices()]).astype(np.float32)
    term = basis.term(x)
    centred = x - basis.origin
    square, own_score = float(np.square(centred).sum(axis=1).mean()), float(np.abs(scores).sum(axis=1).mean())
    if len(x) < 3 or not square > 0 or not own_score > 0:
        return np.array([0.0, 1.0, 0.0])
    unit, mean = square / own_score, float(term.mean())
    # Divided by its size, so that no square leaves the range of float32.
    size = math.sqrt(square)
    asked = np.sort(sample_without_replacement(len(x), min(_MOST_QUERIES, len(x)), random_state=rng)).astype(np.int64)
    bonus = (basis.bonus(centred) / square).astype(np.float32)
    true, _ = nearest_rows((centred / size).astype(np.float32), bonus, asked, min(_K, len(x) - 1))
    added = ((term - mean) / unit).astype(np.float32)
    return np.array([_best_amount(_recalls(scores, added, asked, true)), unit, mean])


def _sample(rows: TrainingRows, rng: np.random.RandomState) -> TrainingRows:
    """Return at most so many of the training rows as are searched, reported to no one."""
    if len(rows) <= _MOST_ROWS:
        return TrainingRows(rows.X, rows.indices, Work(None))
    chosen = np.sort(sample_without_replacement(len(rows), _MOST_ROWS, random_state=rng)).astype(np.int64)
    return TrainingRows(rows.X, chosen if rows.indices is None else rows.indices[chosen], Work(None))


def _recalls(
    scores: NDArray[np.float32], added: NDArray[np.float32], asked: NDArray[np.int64], true: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the share of the true rows found by each amount for each row asked with, float64 (n_amounts, n_asked)."""
    signs = np.where(scores > 0, np.float32(1), np.float32(-1))
    recalls = np.empty((len(AMOUNTS), len(asked)))
    block_rows, k = max(1, _BLOCK_VALUES // len(scores)), true.shape[1]

    def work(start: int) -> None:
        place = slice(start, min(start + block_rows, len(asked)))
        sums = scores[asked[place]] @ signs.T
        sums[np.arange(len(sums)), asked[place]] = -np.inf
        for row, amount in enumerate(AMOUNTS):
            values = sums + np.float32(amount) * added
            found = np.argpartition(values, len(scores) - k, axis=1)[:, len(scores) - k :]
            recalls[row, place] = (found[:, :, None] == true[place, None, :]).any(axis=2).mean(axis=1)

    for_each(work, range(0, len(asked), block_rows))
    return recalls


def _best_amount(recalls: NDArray[np.float64]) -> float:
    """Return the amount of the highest mean recall, or 0 where it is within chance of that without any."""
    best = int(recalls.mean(axis=1).argmax())
    gains = recalls[best] - recalls[0]
    error = float(gains.std(ddof=1)) / math.sqrt(len(gains))
    return AMOUNTS[best] if float(gains.mean()) > _STANDARD_ERRORS * error else 0.0
