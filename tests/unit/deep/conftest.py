"""What the tests of deep hashing share: one thread, and the digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def one_torch_thread():
    """Small products gain nothing from threads, and on a busy machine lose much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits():
    """300 images of handwritten digits: float64 (300, 64), and their classes."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X[:300], y[:300]


@pytest.fixture(scope="session")
def blobs():
    """120 vectors of 12 features around 4 centres, and which centre each is of."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 4
    return (3 * rng.normal(size=(4, 12))[y] + rng.normal(size=(120, 12))).astype(np.float32), y
