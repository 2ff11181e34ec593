import numpy as np
import pytest
from numpy.testing import assert_allclose

from hammingway.deep.batches import Rows
from hammingway.deep.centering import training_mean


@pytest.mark.parametrize("n", [1, 2, 2500])
def test_training_mean_is_taken_over_all_blocks(n):
    X = np.random.default_rng(0).integers(0, 255, size=(n, 12)).astype(np.uint8)
    assert_allclose(
        training_mean(Rows(X, image_shape=(2, 2, 3))), X.reshape(n, 4, 3).mean(axis=0).T.reshape(3, 2, 2), rtol=1e-6
    )
