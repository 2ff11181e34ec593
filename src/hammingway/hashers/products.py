"""Matrices worked on by several threads, to the last bit the same on any number of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from hammingway.hashers.threads import Crew

__all__ = ["in_parts", "product"]

_PARTS = 8  # whatever the number of threads


def in_parts(work: Callable[[slice], object], n: int, crew: Crew) -> None:
    """Call ``work`` on each of eight parts of ``n`` rows."""
    parts = _parts(n)
    crew.for_each(lambda i: work(parts[i]), range(_PARTS))


def product(a: NDArray[np.float32], b: NDArray[np.float32], crew: Crew) -> NDArray[np.float32]:
    """Return ``a @ b``, float32 (m, n), for a (m, k) and b (k, n).

    The longest of m, k and n is cut into eight parts, one product each: of rows, of columns, or of terms that are added
    in their order.

    Examples
    --------
    >>> from hammingway.hashers.threads import crew
    >>> a = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> with crew() as threads:
    ...     product(a, a.T, threads)
    array([[ 5., 14.],
           [14., 50.]], dtype=float32)
    """
    (m, k), n = a.shape, b.shape[1]
    if k >= max(m, n):
        terms = np.empty((_PARTS, m, n), dtype=np.float32)
        parts = _parts(k)
        crew.for_each(lambda i: np.matmul(a[:, parts[i]], b[parts[i]], out=terms[i]), range(_PARTS))
        total: NDArray[np.float32] = reduce(np.add, terms)
        return total
    whole = np.empty((m, n), dtype=np.float32)
    if m >= n:
        in_parts(lambda rows: np.matmul(a[rows], b, out=whole[rows]), m, crew)
    else:
        in_parts(lambda columns: np.matmul(a, b[:, columns], out=whole[:, columns]), n, crew)
    return whole


def _parts(n: int) -> list[slice]:
    return [slice(n * i // _PARTS, n * (i + 1) // _PARTS) for i in range(_PARTS)]
