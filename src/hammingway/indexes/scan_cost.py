"""What a scan costs, and so what a search by tables may: the cost model of the indexes with tables."""

from __future__ import annotations

from hammingway.indexes.plane_store import PlaneStore
from hammingway.kernels import LANES
from hammingway.kernels.layout import threads_of
from hammingway.kernels.probing import Budget

__all__ = ["budget_for"]

# Picoseconds on the processor of docs/benchmarks/lookup.md; only their ratios matter. The scan is
# taken at its fastest, planes in cache, and a look-up at its slowest, tables out of it: a wrong guess
# then costs little, where one that favours the tables could cost many times the scan.
_SCAN_WORD_ALONE = 120
_SCAN_WORD_IN_A_BATCH = 55
_PROBE = 100_000
_CANDIDATE = 11_000
_ROW = 1_500
_CALL = 20_000_000  # what calling for the tables takes in Python, for any number of queries
_QUERY = 2_000_000  # what beginning a query takes, before anything is looked up

_CALLS = 5  # times the cost of the call that the scan must cost: in vain, it may take a fifth of the scan
_WORTH_TRYING = 12  # times the cost of beginning a query that its scan must cost
_BATCH = 10  # queries from which on the scan tabulates planes (native/prepare.cpp)
_QUERIES_A_THREAD = 8  # native/probe.cpp
_ATTEMPT_PERCENT_ALONE = 4  # calling for the tables costs as much again
_ATTEMPT_PERCENT_IN_A_BATCH = 6
_WHOLE_PERCENT = 90


def budget_for(store: PlaneStore, n_queries: int, n_threads: int | None) -> Budget | None:
    """Return what tables may cost one of ``n_queries`` queries, beside a scan of ``store``; None if nothing.

    Tables serve a query by one thread, a scan by ``n_threads`` of them, so with few queries the scan
    counts for less.
    """
    n_words = store.n_blocks * store.n_bits * (LANES // 64)
    alone = n_queries < _BATCH
    word = _SCAN_WORD_ALONE if alone else _SCAN_WORD_IN_A_BATCH
    if n_words * word * n_queries < _CALLS * _CALL or n_words * word < _WORTH_TRYING * _QUERY:
        return None
    n_threads = threads_of(n_threads)
    scan = n_words * word * min(max(1, n_queries // _QUERIES_A_THREAD), n_threads) // n_threads
    if scan * n_queries < _CALLS * _CALL or scan < _WORTH_TRYING * _QUERY:
        return None
    percent = _ATTEMPT_PERCENT_ALONE if alone else _ATTEMPT_PERCENT_IN_A_BATCH
    return Budget(_PROBE, _CANDIDATE, _ROW, scan * percent // 100, scan * _WHOLE_PERCENT // 100)
