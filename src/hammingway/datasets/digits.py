"""The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn: an experiment in seconds."""

from __future__ import annotations

import numpy as np

from hammingway.datasets.named import NamedDataSet
from hammingway.datasets.protocols import Balanced, Pool
from hammingway.progress import Progress

__all__ = ["DIGITS"]

_N_DIGITS = 1797


def _embedded(progress: Progress | None) -> Pool:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    if progress is not None:
        progress(_N_DIGITS, _N_DIGITS)
    return Pool(
        vectors=bunch.data.astype(np.float32),
        labels=bunch.target.astype(np.int64),
        n_train=len(bunch.target),
        source="scikit-learn (1797 test digits of Alpaydin and Kaynak, 1998; UCI)",
    )


DIGITS = NamedDataSet(
    name="digits",
    protocols={
        "digits": Balanced(n_queries_per_class=30, n_training_per_class=None, training_in_database=True),
    },
    read_local=None,
    fetch=_embedded,
    layouts="nothing",
    n_train=_N_DIGITS,
    n_test=0,
)
