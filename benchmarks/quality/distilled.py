"""Recall at equal bytes on text embeddings: distilled codes beside ITQ, queries kept as float scores.

    python benchmarks/quality/distilled.py debian_minilm.npy
    python benchmarks/quality/distilled.py debian_minilm.npy --bits 64 --hashers distilled

Prints one Markdown row a run. 1,000 queries, a database of 62,000 on which alone the codes are fitted, truth the
exact top 10 by inner product; codes searched by ``FlatIndex.search_asymmetric`` with scores of 8 bits, and in brackets
by Hamming distance. No re-ranking. Times are seconds of processor time of the whole process during the fit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hammingway import FlatIndex, Hasher, metrics, registry

N_QUERIES, N_SKIPPED, SPLIT_SEED = 1000, 666, 1
N_TRUE, SHOWN = 10, (10, 100)


def split(vectors: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return queries and database; the 666 rows between them were for choosing settings."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(vectors))
    rows = vectors.astype(np.float32)
    return rows[order[:N_QUERIES]], rows[order[N_QUERIES + N_SKIPPED :]]


def recalls(ids: NDArray[np.int64], true: NDArray[np.int64]) -> list[float]:
    """Return r10@10 and r10@100."""
    return [float(np.mean(metrics.recall_at_k(ids, true, k=k))) for k in SHOWN]


def row(name: str, hasher: Hasher, seconds: float, found: Sequence[NDArray[np.int64]], true: NDArray[np.int64]) -> str:
    """Return one line of the table."""
    asymmetric, symmetric = (recalls(ids, true) for ids in found)
    cells = [f"{ours:.3f} ({other:.3f})" for ours, other in zip(asymmetric, symmetric, strict=True)]
    return f"| {-(-hasher.n_bits_ // 8)} | `{name}` | {' | '.join(cells)} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path, help="float (n, d) .npy, more than 1,676 rows of norm 1")
    parser.add_argument("--bits", type=int, nargs="+", default=[64, 128, 256, 384])
    parser.add_argument("--hashers", nargs="+", default=["itq", "distilled"], help="registry names")
    parser.add_argument("--seed", type=int, default=0, help="of the hashers")
    arguments = parser.parse_args()
    queries, database = split(np.load(arguments.vectors))
    true = np.argsort(-(queries @ database.T), axis=1, kind="stable")[:, :N_TRUE]
    print("| bytes | hasher | r10@10 (symmetric) | r10@100 (symmetric) | fit, CPU s |\n|---:|---|---:|---:|---:|")
    for n_bits in arguments.bits:
        for name in arguments.hashers:
            started = time.process_time()
            hasher = registry.load("hashers", name)(n_bits, random_state=arguments.seed).fit(database)
            seconds = time.process_time() - started
            index = FlatIndex(n_bits).add(hasher.encode(database))
            asymmetric = index.search_asymmetric(hasher.project_queries(queries), SHOWN[-1])
            symmetric = index.search(hasher.encode(queries), SHOWN[-1])
            print(row(name, hasher, seconds, (asymmetric.ids, symmetric.ids), true), flush=True)


if __name__ == "__main__":
    main()
