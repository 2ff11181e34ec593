"""Bit-plane scans: exact Hamming search over codes stored one bit position at a time.

The native module picks the widest instruction set the processor has; the environment variable
``HAMMINGWAY_SIMD`` (avx512vbmi, avx512, avx2, baseline, neon or numpy) forces one. See
:mod:`hammingway.kernels.layout` for the layout and :class:`hammingway.kernels.backends.Kernels`
for the functions.

Examples
--------
>>> import numpy as np
>>> planes, live = np.zeros((1, 8, 8), dtype=np.uint64), np.zeros((1, 8), dtype=np.uint64)
>>> write_rows(planes, live, np.array([[255], [0], [3]], dtype=np.uint8), 0)
>>> slots, distances = top_k(planes, live, np.array([[1]], dtype=np.uint8), 2)
>>> slots, distances
(array([[1, 2]]), array([[1, 1]], dtype=int32))
"""

from __future__ import annotations

from hammingway.kernels.backends import Kernels, available, backend, choose, info
from hammingway.kernels.layout import LANES, Biases

__all__ = [
    "BACKEND",
    "LANES",
    "Biases",
    "Kernels",
    "available",
    "backend",
    "info",
    "pairwise",
    "read_rows",
    "top_k",
    "top_k_asymmetric",
    "top_k_biased",
    "within",
    "write_rows",
]

_active = choose()

BACKEND = _active.name
write_rows = _active.write_rows
read_rows = _active.read_rows
top_k = _active.top_k
top_k_asymmetric = _active.top_k_asymmetric
top_k_biased = _active.top_k_biased
within = _active.within
pairwise = _active.pairwise
