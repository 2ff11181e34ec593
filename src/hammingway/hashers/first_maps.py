"""Where the maps of distilled codes start: rows of deviation 1, ITQ in blocks of bits, scores of a known spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hammingway.errors import InvalidInputError
from hammingway.hashers.distillation import Maps
from hammingway.hashers.itq import embed, learn_rotation
from hammingway.hashers.linear import check_largest_weight
from hammingway.hashers.moments import Directions
from hammingway.hashers.pca import random_rotation
from hammingway.hashers.rows import TrainingRows, Work
from hammingway.hashers.teaching import Teacher
from hammingway.hashers.threads import single_threaded_blas

__all__ = ["ROTATION_TURNS", "first_maps", "rotated", "standardised"]

ROTATION_TURNS = 20
"""Turns of ITQ at the start."""

_ROTATION_ROWS = 20_000
_AMPLE_WEIGHT = 1e4  # of rows of deviation 1
_TYPICAL_ROWS = 1000  # of which the scales at the start are taken
_FIRST_SPREAD = 2.0  # standard deviation of the logits at the start


def standardised(rows: TrainingRows, mean: NDArray[np.float64]) -> tuple[NDArray[np.float32], float]:
    """Return the centred rows divided by their deviation over all features, float32 (n, n_features), and it.

    Raises
    ------
    InvalidInputError : it is so small that the weights of the rows as they were would be beyond float32.
    """
    x = np.empty((len(rows), rows.n_features), dtype=np.float32)
    squares = 0.0
    for place, block in zip(rows.slices(), rows.blocks(), strict=True):
        block -= mean
        squares += float(np.square(block).sum())
        x[place] = block
    unit = math.sqrt(squares / x.size)
    check_largest_weight(_AMPLE_WEIGHT / unit)
    x /= np.float32(unit)
    return x, unit


def rotated(
    x: NDArray[np.float32], directions: Directions, widths: Sequence[int], rng: np.random.RandomState
) -> NDArray[np.float32]:
    """Return the weights of ITQ for centred rows, float32 (n_features, n_bits); more bits than directions may be.

    The directions are shared out to the blocks of bits between the widths, and each block is rotated in itself, so that
    the first bits of every width see the leading directions alone. Where directions run out, a block has the last ones.
    """
    some = TrainingRows(x[:: max(1, len(x) // _ROTATION_ROWS)], None, Work(None))
    count, blocks = directions.vectors.shape[1], []
    for first, last in pairwise((0, *widths)):
        own = directions.vectors[:, max(0, min(first, count - (last - first))) : last]
        start = random_rotation(rng, own.shape[1], last - first)
        embedded = embed(some, Directions(np.zeros(x.shape[1]), own))
        rotation = learn_rotation(embedded, start, n_iterations=ROTATION_TURNS)
        with single_threaded_blas():
            blocks.append((own @ rotation).astype(np.float32))
    return np.hstack(blocks)


def first_maps(start: NDArray[np.float32], teacher: Teacher, widths: Sequence[int]) -> tuple[Maps, np.float32]:
    """Return maps whose scores have a deviation of 1 and weights of size 1, and scale the teacher's rows to fit."""
    taught = teacher.x[teacher.taught]
    typical = _typical(taught)
    weights = start / _spread(taught @ start)
    unit = np.sqrt(np.square(weights).mean())
    teacher.x *= unit
    maps = Maps(weights / unit, widths=widths)
    some = typical * unit
    scores, codes = maps.ask(some), maps.encode(some)
    for place, width in enumerate(widths):
        spread = _spread(scores[:, :width] @ codes[:, :width].T)
        maps.log_scales[:, place] = math.log(_FIRST_SPREAD / spread)
    return maps, unit


def _spread(values: NDArray[np.float32]) -> np.float32:
    """Return the standard deviation; zero is refused: beside a row far off, float32 may not tell the others apart."""
    deviation: np.float32 = values.std()
    if not deviation > 0:
        raise InvalidInputError("the rows differ by next to nothing beside a few far off; remove those, and fit again.")
    return deviation


def _typical(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows to take scales from: the first; where these are all equal, as padding is, one of them and others.

    Raises
    ------
    InvalidInputError : all rows are equal.
    """
    if (rows[:_TYPICAL_ROWS] != rows[0]).any():
        return rows[:_TYPICAL_ROWS]
    others = rows[(rows != rows[0]).any(axis=1)]
    if not len(others):
        raise InvalidInputError(
            "the training rows are all equal but for some of those held out to choose the best maps, so nothing can be "
            "learnt; fit on more rows that differ."
        )
    return np.vstack([rows[:1], others[: _TYPICAL_ROWS - 1]])
