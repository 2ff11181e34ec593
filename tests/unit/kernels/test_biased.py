"""Every backend ranks biased sums as the NumPy twin does, value for value."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway.errors import InvalidInputError, ShapeError
from hammingway.kernels import LANES, Biases, available, backend

NATIVE = [name for name in available() if name != "numpy"]


def database(n, n_bits, scale, seed):
    rng = np.random.default_rng(seed)
    n_blocks = -(-n // LANES)
    planes = rng.integers(0, 2**64, (n_blocks, n_bits, LANES // 64), dtype=np.uint64)
    live = rng.integers(0, 2**64, (n_blocks, LANES // 64), dtype=np.uint64)
    bias = (rng.integers(-20, 21, n_blocks * LANES) / 20 * scale).astype(np.float32)
    return planes, live, bias, bias.reshape(-1, LANES).max(axis=1)


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("n_bits", [1, 8, 63, 65, 300])
@pytest.mark.parametrize("scale", [0.0, 2.0, 400.0, 1e12])
def test_a_backend_agrees_with_the_twin(name, n_bits, scale):
    planes, live, bias, block_bias = database(5000, n_bits, scale, n_bits)
    rng = np.random.default_rng(7)
    weights = rng.integers(-127, 128, (9, n_bits)).astype(np.int8)
    weights[3] = 0
    units = rng.random(9)
    units[3:5] = 0
    ids = rng.permutation(len(bias)).astype(np.int64)
    for given, k in ((None, 1), (ids, 25), (ids, 6000)):
        options = {"biases": Biases(units, bias, block_bias), "ids": given}
        slots, values = backend("numpy").top_k_biased(planes, live, weights, k, **options)
        for n_threads in (1, 3):
            found = backend(name).top_k_biased(planes, live, weights, k, n_threads=n_threads, **options)
            assert_array_equal(found[0], slots)
            assert_array_equal(found[1], values)
        alone = {"biases": Biases(units[:1], bias, block_bias), "ids": given}
        assert_array_equal(backend(name).top_k_biased(planes, live, weights[:1], k, **alone)[0], slots[:1])


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"units": np.ones(2)}, ShapeError),
        ({"units": np.ones(1, np.float32)}, InvalidInputError),
        ({"of_slot": np.zeros(511, np.float32)}, ShapeError),
        ({"of_slot": np.zeros(1024, np.float32)[::2]}, InvalidInputError),
        ({"of_block": np.zeros(2, np.float32)}, ShapeError),
    ],
)
def test_wrong_arrays_are_refused(changed, error):
    planes, live, bias, block_bias = database(512, 8, 1.0, 0)
    biases = Biases(np.ones(1), bias, block_bias)._replace(**changed)
    with pytest.raises(error):
        backend("numpy").top_k_biased(planes, live, np.ones((1, 8), np.int8), 1, biases=biases)
