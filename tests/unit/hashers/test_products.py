import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

from hammingway.hashers.products import in_parts, product
from hammingway.hashers.threads import crew


def matrices(m, k, n):
    rng = np.random.default_rng(0)
    return rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(k, n)).astype(np.float32)


@pytest.mark.parametrize("longest", [1, 7, 8, 9, 300])
@pytest.mark.parametrize("side", [0, 1, 2])
def test_product_is_that_of_numpy_whichever_side_is_longest(side, longest):
    a, b = matrices(*np.roll([longest, 5, 3], side))
    with crew() as threads:
        found = product(a, b, threads)
    assert found.dtype == np.float32
    assert_allclose(found, a.astype(np.float64) @ b, atol=1e-4)


@pytest.mark.parametrize("sides", [(0, 4, 3), (3, 0, 4), (4, 3, 0)])
def test_product_takes_matrices_without_rows_or_columns(sides):
    a, b = matrices(*sides)
    with crew() as threads:
        assert_array_equal(product(a, b, threads), a @ b)


def test_product_takes_views():
    a, b = matrices(40, 300, 30)
    a, b = np.asfortranarray(a)[::-1], b[:, 3:]
    with crew() as threads:
        assert_allclose(product(a, b, threads), a.astype(np.float64) @ b, atol=1e-4)


@pytest.mark.parametrize("sides", [(700, 90, 50), (50, 700, 90), (90, 50, 700)])
def test_product_is_the_same_to_the_last_bit_on_any_number_of_threads(sides):
    a, b = matrices(*sides)
    found = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads), crew() as threads:
            found.append(product(a, b, threads))
    assert_array_equal(found[1], found[0])
    assert_array_equal(found[2], found[0])


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 100])
def test_parts_cover_every_row_once(n):
    done = []
    with crew() as threads:
        in_parts(lambda rows: done.extend(range(n)[rows]), n, threads)
    assert sorted(done) == list(range(n))
