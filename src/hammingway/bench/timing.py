"""Wall times by a monotonic clock, of searches every repeat; and processor times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

__all__ = ["SINGLE_QUERIES", "STEADY_SECONDS", "Seconds", "Times", "search_timings", "timed", "timed_fit"]

SINGLE_QUERIES = 100
STEADY_SECONDS = 0.2
"""Batches are repeated beyond ``repeats`` until they took this long, lest one hiccup decide a rate."""

Seconds = tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]
"""Of each repeat of the whole batch, and of each repeat of each single query."""

T = TypeVar("T")


def search_timings(search: Callable[[slice], object], n_queries: int, *, repeats: int) -> Seconds:
    """Return the seconds of a search, after one of the first query that is not timed.

    Parameters
    ----------
    search : searches for the queries of a slice.
    repeats : of the batch, at least; of each of the first hundred queries alone, exactly.
    """
    singles = [slice(number, number + 1) for number in range(min(SINGLE_QUERIES, n_queries))]
    search(slice(0, 1))
    batch: list[float] = []
    while len(batch) < repeats or sum(batch) < STEADY_SECONDS:
        batch.append(timed(partial(search, slice(0, n_queries)))[1])
    single = [tuple(timed(partial(search, one))[1] for one in singles) for _ in range(repeats)]
    return tuple(batch), tuple(single)


def timed(action: Callable[[], T]) -> tuple[T, float]:
    """Return what ``action`` returns and its wall time in seconds."""
    start = time.perf_counter_ns()
    result = action()
    return result, (time.perf_counter_ns() - start) / 1e9


@dataclass(frozen=True)
class Times:
    """Seconds that a fit took.

    Parameters
    ----------
    wall : by a monotonic clock.
    processor : of all threads of the processes that worked on it.
    """

    wall: float
    processor: float


def timed_fit(fit: Callable[[], object]) -> Times:
    """Return what ``fit`` took."""
    before = time.process_time_ns()
    _, wall = timed(fit)
    return Times(wall, (time.process_time_ns() - before) / 1e9)
