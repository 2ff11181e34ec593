"""One number for many queries, without hiding those that have none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hammingway.errors import InvalidInputError, ShapeError

__all__ = ["QueryMean", "mean_over_queries"]


@dataclass(frozen=True, slots=True)
class QueryMean:
    """A mean over queries, and over how many.

    Parameters
    ----------
    mean : mean of the defined values; nan if there is none.
    n_used : queries in the mean.
    n_undefined : queries whose value is nan, because the database holds nothing relevant to them.
    """

    mean: float
    n_used: int
    n_undefined: int


def mean_over_queries(values: ArrayLike) -> QueryMean:
    """Mean of one value a query; undefined values (nan) are left out, and said to be.

    A query without any relevant item has no average precision: to drop it silently, or to count it as 0,
    are two of the ways in which published means differ. A query whose relevant items were merely *missed*
    has the value 0 and counts.

    Parameters
    ----------
    values : float64 (n_queries,).

    Returns
    -------
    mean : QueryMean; the mean does not depend on the order of the queries.

    Raises
    ------
    ShapeError : not one-dimensional.
    InvalidInputError : an infinite value, which no metric here returns.

    Examples
    --------
    >>> mean_over_queries([1.0, float("nan"), 0.0])
    QueryMean(mean=0.5, n_used=2, n_undefined=1)
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ShapeError(f"values must have shape (n_queries,); got {array.shape}.")
    if np.any(np.isinf(array)):
        raise InvalidInputError("values must not be infinite; check where they come from.")
    defined = array[~np.isnan(array)]
    mean = math.fsum(defined) / len(defined) if len(defined) else math.nan
    return QueryMean(mean, len(defined), len(array) - len(defined))
