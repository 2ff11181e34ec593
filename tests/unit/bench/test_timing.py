"""Processor time counts what a fit computes, on all threads, and not what it waits for."""

from __future__ import annotations

import time
from threading import Thread

from hammingway.bench.timing import timed_fit


def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_waiting_is_wall_time_only():
    times = timed_fit(lambda: time.sleep(0.2))
    assert times.wall >= 0.2
    assert times.processor < 0.1


def test_all_threads_are_counted():
    def fit():
        threads = [Thread(target=compute, args=(0.05,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    times = timed_fit(fit)
    assert times.processor >= 0.15
