"""How many threads the hashers use, and when linear algebra must use one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["Crew", "crew", "for_each", "single_threaded_blas"]

T = TypeVar("T")


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Give a context in which BLAS and LAPACK use one thread.

    For decompositions: unlike a fixed-point product their rounding depends on the number of threads.
    Any number of threads may be inside at once.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _SharedLimit:
    """One thread for BLAS from the first that enters to the last that leaves, as the number is the process's own.

    Each with a limit of its own, the first to leave would lift it for those inside, and the last would
    put back the 1 that it found.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._limiter: AbstractContextManager[Any] | None = None

    def enter(self) -> None:
        with self._lock:
            if self._limiter is None:
                self._limiter = _controller().limit(limits=1, user_api="blas")
            self._n_inside += 1

    def leave(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._lift()

    def start_afresh(self) -> None:
        """Forget the threads that were inside: after a fork, none of them is there to leave."""
        self._lock = Lock()
        self._n_inside = 0
        self._lift()

    def _lift(self) -> None:
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.__exit__(None, None, None)


_limit = _SharedLimit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limit.start_afresh)


def for_each(work: Callable[[int], None], items: Iterable[int]) -> None:
    """Call ``work`` on every item, spread over as many threads as BLAS may use in this process.

    ``OPENBLAS_NUM_THREADS``, ``threadpoolctl.threadpool_limits`` and the like therefore hold here too.
    """
    items = list(items)
    with crew(len(items)) as threads:
        threads.for_each(work, items)


@dataclass(frozen=True)
class Crew:
    """Threads that stay for many rounds of work, too short to start new ones for each."""

    _pool: ThreadPoolExecutor | None

    def for_each(self, work: Callable[[int], object], items: Iterable[int]) -> None:
        """Call ``work`` on every item."""
        calls = map(work, items) if self._pool is None else self._pool.map(work, items)
        for _ in calls:
            pass

    def ahead(self, make: Callable[[], T], n: int) -> Iterator[T]:
        """Yield what ``n`` >= 1 calls of ``make`` return, in turn; the next is made while the last is used."""
        if self._pool is None:
            yield from (make() for _ in range(n))
            return
        following = self._pool.submit(make)
        for _ in range(n - 1):
            made = following.result()  # before the next starts: no two at a time
            following = self._pool.submit(make)
            yield made
        yield following.result()


@contextmanager
def crew(most: int | None = None) -> Iterator[Crew]:
    """Give as many threads as BLAS may use in this process, at most ``most``; inside, BLAS uses one in each.

    So rounding and packing run in parallel too, and a single block, where BLAS' own threads gain little and on a busy
    machine lose much, has one.
    """
    n_threads = _blas_threads() if most is None else min(_blas_threads(), most)
    with single_threaded_blas():
        if n_threads <= 1:
            yield Crew(None)
            return
        with ThreadPoolExecutor(n_threads) as pool:
            yield Crew(pool)


def _blas_threads() -> int:
    pools = [pool["num_threads"] for pool in _controller().info() if pool["user_api"] == "blas"]
    return max(pools, default=1)


@cache
def _controller() -> ThreadpoolController:
    # SciPy brings a BLAS of its own: loaded before the look, or it would escape every limit.
    import scipy.linalg.blas  # noqa: F401

    return ThreadpoolController()
