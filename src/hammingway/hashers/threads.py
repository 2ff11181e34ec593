"""How many threads the hashers use, and when linear algebra must use one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["for_each", "single_threaded_blas"]


def single_threaded_blas() -> AbstractContextManager[Any]:
    """Return a context in which BLAS and LAPACK use one thread.

    For decompositions: unlike a fixed-point product their rounding depends on the number of threads.
    """
    limiter: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limiter


def for_each(work: Callable[[int], None], items: Iterable[int]) -> None:
    """Call ``work`` on every item, spread over as many threads as BLAS may use in this process.

    ``OPENBLAS_NUM_THREADS``, ``threadpoolctl.threadpool_limits`` and the like therefore hold here too.
    """
    items = list(items)
    n_threads = min(_blas_threads(), len(items))
    # One BLAS thread in each of ours: blocks are small, and rounding and packing then run in parallel too.
    # Also for a single block, where BLAS' own threads gain little and on a busy machine lose much.
    with single_threaded_blas():
        if n_threads <= 1:
            for item in items:
                work(item)
            return
        with ThreadPoolExecutor(n_threads) as pool:
            for _ in pool.map(work, items):
                pass


def _blas_threads() -> int:
    pools = [pool["num_threads"] for pool in _controller().info() if pool["user_api"] == "blas"]
    return max(pools, default=1)


@cache
def _controller() -> ThreadpoolController:
    # SciPy brings a BLAS of its own: loaded before the look, or it would escape every limit.
    import scipy.linalg.blas  # noqa: F401

    return ThreadpoolController()
