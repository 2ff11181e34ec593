"""The same codes on one thread and on two: each in a process of its own, started with that setting."""

import os
import subprocess
import sys
from threading import current_thread

import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from hammingway.hashers.threads import crew, for_each, single_threaded_blas

SCRIPT = """
import sys
import numpy as np
from hammingway import registry
from hammingway.storage import digest
rng = np.random.default_rng(0)
y = np.arange(6000) % 7
X = (rng.normal(size=(7, 150))[y] + rng.normal(size=(6000, 150))).astype(np.float32)
for name in sorted(registry.names("hashers")):
    kind = registry.load("hashers", name)
    for n_bits in (32, 100) if kind.__module__.startswith("hammingway.hashers.") else ():
        few = {"n_steps": 20} if name == "distilled" else {}
        hasher = kind(n_bits, random_state=0, **few).fit(X, y)
        print(name, n_bits, digest(hasher.project(X)), digest(hasher.encode(X).packed))
"""


def digests(n_threads):
    """Return what the script prints in a process limited to ``n_threads`` BLAS threads."""
    limits = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"], str(n_threads))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | limits, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_fit_and_encode_give_the_same_bits_on_one_two_and_three_threads():
    one = digests(1)
    assert len(one) >= 14
    assert digests(2) == one
    assert digests(3) == one


def blas_threads():
    return {pool["num_threads"] for pool in ThreadpoolController().info() if pool["user_api"] == "blas"}


def test_single_threaded_blas_reaches_every_library_and_ends():
    before = blas_threads()
    with single_threaded_blas():
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_the_limit_holds_until_the_last_thread_leaves_and_then_ends():
    with threadpool_limits(2):
        first, second = single_threaded_blas(), single_threaded_blas()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_inside_the_limit_has_the_threads_from_before():
    with threadpool_limits(2), single_threaded_blas():
        child = os.fork()
        if child == 0:  # leaves at once: the code after this test is the parent's
            os._exit(0 if blas_threads() == {2} else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert blas_threads() == {1}


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_items", [0, 1, 5])
def test_every_item_is_done_once(n_threads, n_items):
    done = []
    with threadpool_limits(n_threads):
        for_each(done.append, range(n_items))
    assert sorted(done) == list(range(n_items))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_the_work_reaches_the_caller(n_threads):
    def work(item):
        if item == 3:
            raise RuntimeError("item 3")

    with threadpool_limits(n_threads), pytest.raises(RuntimeError, match="item 3"):
        for_each(work, range(5))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_crew_works_for_many_rounds_with_one_blas_thread_in_each(n_threads):
    done = []
    with threadpool_limits(n_threads), crew() as threads:
        for _ in range(3):
            threads.for_each(done.append, range(4))
        assert blas_threads() == {1}
    assert sorted(done) == sorted([*range(4)] * 3)


def test_a_crew_has_no_more_threads_than_blas_may_use():
    with threadpool_limits(2), crew() as threads:
        names = set()
        threads.for_each(lambda _: names.add(current_thread().name), range(50))
    assert len(names) <= 2
    assert current_thread().name not in names


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_what_is_made_ahead_comes_in_turn(n_threads, n):
    counter = iter(range(100))
    with threadpool_limits(n_threads), crew() as threads:
        assert list(threads.ahead(lambda: next(counter), n)) == list(range(n))
    assert next(counter) == n


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_what_is_made_ahead_reaches_the_caller(n_threads):
    def make():
        raise RuntimeError("no more")

    with threadpool_limits(n_threads), crew() as threads, pytest.raises(RuntimeError, match="no more"):
        list(threads.ahead(make, 3))
